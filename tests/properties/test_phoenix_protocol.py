"""What holds for every frame: nothing is lost, and nothing but a DecodeError is raised."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_actors.errors import DecodeError, EncodeError
from phoenix_actors.message import PHX_REPLY, Frame, read_reply
from phoenix_actors.protocol import SerializerV1, SerializerV2
from phoenix_actors.testing.wire import SerializerV1 as ServerSerializerV1

CODEC = SerializerV2()

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
refs = st.one_of(st.none(), st.integers(1, 10**9).map(str))
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
).filter(lambda value: "inf" not in repr(value) or is_finite(value))
# With what JSON cannot hold mixed in.
odd_values = st.recursive(
    st.one_of(
        json_values,
        st.floats(),
        st.binary(max_size=3),
        st.sets(st.integers(), max_size=2),
        st.text(max_size=3),
        st.just(object()),
        st.tuples(st.integers()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=2), st.integers()), inner, max_size=3),
    ),
    max_leaves=8,
)


def is_finite(value: Any) -> bool:
    """Tell whether no number in a JSON value is infinite."""
    match value:
        case float():
            return math.isfinite(value)
        case list():
            return all(is_finite(inner) for inner in value)
        case dict():
            return all(is_finite(inner) for inner in value.values())
    return True


@pytest.mark.contract("C17", "C22", "C25")
@given(join_ref=refs, ref=refs, topic=texts, event=texts, payload=json_values)
def test_every_text_frame_survives(
    join_ref: str | None, ref: str | None, topic: str, event: str, payload: Any
) -> None:
    """Any other reader of JSON gets exactly five values, and ours gets them back."""
    frame = CODEC.encode(join_ref, ref, topic, event, payload)
    assert isinstance(frame, str)
    sent = {} if payload is None else payload
    assert json.loads(frame) == [join_ref, ref, topic, event, sent]
    assert CODEC.decode_text(frame) == Frame(join_ref, ref, topic, event, sent)


@given(join_ref=refs, ref=refs, topic=texts, event=texts, payload=json_values)
def test_a_frame_prepared_without_its_refs_is_the_same(
    join_ref: str | None, ref: str | None, topic: str, event: str, payload: Any
) -> None:
    """Encoding early and adding the refs late changes no byte."""
    whole = CODEC.encode(join_ref, ref, topic, event, payload)
    assert CODEC.complete(CODEC.prepare(topic, event, payload), join_ref, ref) == whole
    text = CODEC.payload_text(payload)
    assert CODEC.complete(CODEC.prepare_encoded(topic, event, text), join_ref, ref) == whole


@pytest.mark.contract("C26")
@given(payload=odd_values)
def test_a_payload_is_sent_as_it_is_or_not_at_all(payload: Any) -> None:
    """What the server reads is what was given, up to tuples and keys that are numbers."""
    try:
        frame = CODEC.encode("1", "2", "t", "e", payload)
    except EncodeError:
        return
    if isinstance(payload, bytes):
        assert frame == b"\x00\x01\x01\x01\x0112te" + payload
    else:
        assert same(json.loads(frame)[4], {} if payload is None else payload)


def same(read: Any, given: Any) -> bool:
    """Compare what JSON gives back with what went in."""
    if isinstance(given, list | tuple):
        return isinstance(read, list) and len(read) == len(given) and all(map(same, read, given))
    if isinstance(given, dict):
        if len({str(key) for key in given}) < len(given):
            return True  # 1 and "1" are one key to a reader
        return set(read) == {str(key) for key in given} and all(
            same(read[str(key)], value) for key, value in given.items()
        )
    return type(read) is type(given) and bool(read == given)


@pytest.mark.contract("C27")
@given(data=st.one_of(st.text(), st.binary(), json_values.map(json.dumps)))
def test_no_text_does_more_than_fail_to_decode(data: str | bytes) -> None:
    """Whatever the server sends."""
    try:
        frame = CODEC.decode_text(data)
    except DecodeError:
        return
    assert isinstance(frame, Frame)


@pytest.mark.contract("C37")
@given(data=st.one_of(st.binary(), st.binary().map(lambda data: b"\x00" + data)))
def test_no_bytes_do_more_than_fail_to_decode(data: bytes) -> None:
    """Whatever the server sends."""
    try:
        frame = CODEC.decode_binary(data)
    except DecodeError:
        return
    assert isinstance(frame, Frame)


names = texts.filter(lambda text: len(text.encode()) <= 255)


@pytest.mark.contract("C31", "C32", "C33", "C34")
@given(
    kind=st.sampled_from([0, 1, 2]), parts=st.lists(names, min_size=4, max_size=4), data=st.binary()
)
def test_every_binary_frame_of_a_server_is_read(kind: int, parts: list[str], data: bytes) -> None:
    """Push, reply and broadcast, with names of any language and any data."""
    used = parts[: {0: 3, 1: 4, 2: 2}[kind]]
    encoded = [part.encode() for part in used]
    frame = CODEC.decode_binary(bytes([kind, *map(len, encoded)]) + b"".join(encoded) + data)
    if kind == 0:
        assert frame == Frame(used[0] or None, None, used[1], used[2], data)
    elif kind == 1:
        assert (frame.join_ref, frame.ref) == (used[0] or None, used[1] or None)
        assert (frame.topic, frame.event) == (used[2], PHX_REPLY)
        reply = read_reply(frame.payload)
        assert (reply.status, reply.response) == (used[3], data)
    else:
        assert frame == Frame(None, None, used[0], used[1], data)


@pytest.mark.contract("C19", "C20")
@given(join_ref=refs, ref=refs, topic=texts, event=texts, payload=json_values)
def test_every_object_of_the_first_version_survives(
    join_ref: str | None, ref: str | None, topic: str, event: str, payload: Any
) -> None:
    """The server's own reader gets all of it; ours gets what the server writes of it back."""
    client, server = SerializerV1(), ServerSerializerV1()
    sent = {} if payload is None else payload
    read = server.decode_text(client.encode(join_ref, ref, topic, event, payload))
    assert (read.join_ref, read.ref, read.topic, read.event) == (join_ref, ref, topic, event)
    assert read.payload == sent
    text = server.reply(join_ref, ref, topic, "ok", sent)
    expected = Frame(None, ref, topic, PHX_REPLY, {"status": "ok", "response": sent})
    assert client.decode_text(text) == expected
