"""What holds for every URL, every set of params and every topic map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_actors.errors import InvalidURL
from phoenix_actors.machines.topic_map import TopicMap
from phoenix_actors.options import build_url, encode_params, endpoint, redact_url
from phoenix_actors.transport import handshake
from phoenix_actors.transport.handshake import target_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
flat = st.dictionaries(texts.filter(lambda key: key != "vsn"), texts, max_size=5)
plain = st.one_of(st.booleans(), st.integers(), texts)
nested = st.recursive(
    st.one_of(st.none(), plain),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.contract("C3", "C5", "C6")
@given(params=flat, kept=flat)
def test_params_arrive_as_they_were_behind_what_was_there(
    params: dict[str, str], kept: dict[str, str]
) -> None:
    """A reader of the query gets every value back, and the version once, at the end."""
    url = "ws://h/socket?" + encode_params(kept)
    query = urlsplit(build_url(url, params)).query
    expected = [*kept.items(), *params.items(), ("vsn", "2.0.0")]
    assert parse_qsl(query, keep_blank_values=True) == expected


@pytest.mark.contract("C7")
@given(params=st.dictionaries(texts, nested, max_size=3))
def test_every_plain_value_of_nested_params_is_written_once(params: dict[str, Any]) -> None:
    """None is left out, everything else is a pair."""

    def count(value: Any) -> int:
        if isinstance(value, dict):
            return sum(map(count, value.values()))
        if isinstance(value, list):
            return sum(map(count, value))
        return value is not None

    assert len(parse_qsl(encode_params(params), keep_blank_values=True)) == count(params)


# URLs that are plain, or nearly.
nearly_plain = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["ws://", "wss://", "http://", "https://", "WS://", "ftp://", "ws:/"]),
        st.sampled_from(
            ["h", "a-b.c", "127.0.0.1", "H", "a.", "a..b", "a_b", "[::1]", "x" * 64, ""]
        ),
        st.sampled_from(["", ":4000", ":0", ":04", ":65535", ":65536", ":99999", ":"]),
        st.sampled_from(["", "/", "/socket", "/socket/", "/websocket", "//", "/%41", "/é", "/a b"]),
        st.sampled_from(
            ["", "?", "?x=1", "?a&&b", "?vsn=1", "?Vsn=2", "?%76sn=1", "?é", "#", "?a#"]
        ),
    ),
)


def told(of: Callable[[str], Any], url: str) -> Any:
    """Returns what a function says of a URL, or its error."""
    try:
        return of(url)
    except InvalidURL as error:
        return str(error)


@pytest.mark.contract("C1", "C2", "C3", "C4")
@given(url=nearly_plain)
def test_a_plain_url_is_read_as_any_other(url: str) -> None:
    """The short way says what the long way says."""
    read = (build_url, lambda url: build_url(url, {"a": "b c"}), redact_url, target_of)
    short = [told(of, url) for of in read]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(endpoint, "plain_url", lambda _: None)
        patched.setattr(handshake, "plain_url", lambda _: None)
        assert [told(of, url) for of in read] == short


@given(url=st.one_of(texts, texts.map(lambda rest: f"ws://h{rest}"), texts.map("ws://{}".format)))
def test_a_url_can_be_opened_or_is_invalid(url: str) -> None:
    """No other error, and what can be opened is ASCII and completed once."""
    try:
        opened = build_url(url)
    except InvalidURL:
        return
    assert opened.isascii()
    parts = urlsplit(opened)
    assert parts.path.endswith("/websocket")
    assert build_url(opened) == opened


@pytest.mark.contract("C16")
@given(url=st.text())
def test_showing_a_url_never_raises(url: str) -> None:
    """Whatever it is, there is no query left in it."""
    assert "?" not in redact_url(url)


words = st.text("ab:", max_size=4)


@pytest.mark.contract("C164")
@given(
    exact=st.dictionaries(words.filter(bool), st.integers(), max_size=4),
    prefixes=st.dictionaries(words, st.integers(), max_size=4),
    topic=words,
)
def test_a_topic_map_agrees_with_a_search_of_all_keys(
    exact: dict[str, int], prefixes: dict[str, int], topic: str
) -> None:
    """Exact key, then the longest prefix, then the default."""
    entries = {**exact, **{f"{prefix}*": entry for prefix, entry in prefixes.items()}}
    matching = [prefix for prefix in prefixes if topic.startswith(prefix)]
    expected = prefixes[max(matching, key=len)] if matching else -1
    assert TopicMap(entries, -1).resolve(topic) == exact.get(topic, expected)
