"""What decoded payloads share is equal to what they had, whatever that is."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_actors.errors import DecodeError
from phoenix_actors.link import shared as module
from phoenix_actors.link.codec import Codec
from phoenix_actors.link.counters import Counters
from phoenix_actors.link.shared import SharedValues

KEYS = st.sampled_from(["a", "b", "symbol", "__class__", "__dict__", "not a name", "", "é"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 1, 1.0, True])
    | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=8),
    max_leaves=20,
)


@given(st.lists(VALUES, max_size=10))
def test_nothing_changes(values: list[Any]) -> None:
    """Neither value, type, sign nor order, and each message is one's own to change."""
    shared = SharedValues()
    for value in values * 2:
        text = json.dumps(value)
        got = shared.value(json.loads(text))
        assert json.dumps(got) == text
        if isinstance(got, dict):
            assert type(got) is dict
            got["new"] = 1
            got.pop("a", None)


def test_zeros_keep_their_signs() -> None:
    """They are equal, and not the same."""
    shared = SharedValues()
    signs = [math.copysign(1, shared.value({"x": value})["x"]) for value in (0.0, -0.0, 0.0)]
    assert signs == [1, -1, 1]


def test_no_more_is_kept_than_two_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is met often stays; what is not goes, and is counted."""
    monkeypatch.setattr(module, "_GENERATION", 10)
    shared = SharedValues()
    often = shared.value([json.loads('"often"')])[0]
    for number in range(1000):
        shared.value([f"once {number}"])
        assert shared.value([json.loads('"often"')])[0] is often
    stats = shared.stats()
    assert stats["shared_values"] <= 22
    assert stats["shared_evictions"] >= 900
    assert stats["shared_misses"] == 1001


def test_shapes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dict whose keys are ever others stays as it is."""
    monkeypatch.setattr(module, "_SHAPES", 3)
    shared = SharedValues()
    for number in range(10):
        assert shared.value({f"key {number}": 1}) == {f"key {number}": 1}
    assert len(shared._shapes) == 3


@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]"), ('[{"a":', "}]")])
def test_what_is_nested_as_deep_as_the_decoder_goes(opening: str, closing: str) -> None:
    """It stays as it is; a reader that raised would lose the connection over it."""
    codec = Codec("2.0.0", Counters(), shared=SharedValues())
    for depth in range(100, 1000, 50):
        text = f'[null,null,"t","e",{opening * depth}1{closing * depth}]'.encode()
        with contextlib.suppress(DecodeError):
            payload = codec.decode_text(text).payload
            assert type(payload) is (dict if opening[0] == "{" else list)


def test_short_lists_have_no_room_for_more() -> None:
    """What the decoder left for further items goes; a list is one's own to change all the same."""
    roomy: list[Any] = [1]
    roomy.append({"a": 1})
    kept = SharedValues().value(roomy)
    assert kept == [1, {"a": 1}]
    assert sys.getsizeof(kept) == sys.getsizeof([1, 2]) < sys.getsizeof(roomy)
