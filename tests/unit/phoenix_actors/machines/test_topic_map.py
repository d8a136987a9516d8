"""Which entry a topic gets."""

from __future__ import annotations

import pytest

from phoenix_actors.errors import InvalidOption
from phoenix_actors.machines.topic_map import TopicMap


@pytest.mark.contract("C164")
@pytest.mark.parametrize(
    ("topic", "entry"),
    [
        ("rooms:lobby", "exact"),
        ("rooms:42", "rooms:*"),
        ("rooms:", "rooms:*"),
        ("rooms:vip:1", "rooms:vip:*"),
        ("rooms", "room*"),
        ("room", "room*"),
        ("roo", "default"),
        ("users:1", "default"),
        ("", "default"),
        ("rooms:*", "rooms:*"),
    ],
)
def test_exact_then_longest_prefix_then_default(topic: str, entry: str) -> None:
    """The most specific key wins, whatever the order of the map."""
    keys = {"rooms:*": "rooms:*", "room*": "room*", "rooms:vip:*": "rooms:vip:*"}
    assert TopicMap({**keys, "rooms:lobby": "exact"}, "default").resolve(topic) == entry
    backwards = dict(reversed([*keys.items(), ("rooms:lobby", "exact")]))
    assert TopicMap(backwards, "default").resolve(topic) == entry


@pytest.mark.contract("C164")
def test_a_star_alone_matches_everything() -> None:
    """It comes before the default and after everything else."""
    topics = TopicMap({"*": "any", "a": "exact"}, "default")
    assert (topics.resolve("a"), topics.resolve("ab"), topics.resolve("")) == (
        "exact",
        "any",
        "any",
    )


@pytest.mark.parametrize("pattern", ["", "a*b", "*:x", "**"])
def test_a_bad_pattern_is_refused(pattern: str) -> None:
    """A key that could be misread is an error when the map is made."""
    with pytest.raises(InvalidOption):
        TopicMap({pattern: 1}, 0)


def test_the_repr_shows_the_keys() -> None:
    """Patterns look as they were given."""
    assert repr(TopicMap({"rooms:*": 1, "lobby": 2}, 0)) == "<TopicMap ['lobby', 'rooms:*']>"
