"""What a poll is answered with, and what a POST holds."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_actors.errors import DecodeError
from phoenix_actors.protocol.long_poll import Answer, Line, encode_line, read_answer


@pytest.mark.parametrize(
    ("body", "status", "token", "messages"),
    [
        (b'{"status":410,"token":"t","messages":[]}', 410, "t", ()),
        (b'{"status":200}', 200, None, ()),
        (b'{"status":403}', 403, None, ()),
        (b'{"messages":["[1]","{}"],"status":200,"token":"t"}', 200, "t", ("[1]", "{}")),
        (b'{"status":204,"token":null,"messages":null}', 204, None, ()),
    ],
)
def test_an_answer_is_read(
    body: bytes, status: int, token: str | None, messages: tuple[str, ...]
) -> None:
    """Status, token and messages, the last two where they are there."""
    assert read_answer(body) == Answer(status, token, messages)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"status":"200"}', b'{"messages":[]}', b'\xff{"status":200}']
)
def test_what_is_no_answer_is_an_error(body: bytes) -> None:
    """As pages of proxies are."""
    with pytest.raises(DecodeError, match="none of long poll"):
        read_answer(body)


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "\u0000", "é"])
def test_a_token_that_no_header_may_have_is_an_error(token: str) -> None:
    """A server cannot make this side send what it likes."""
    with pytest.raises(DecodeError, match="token"):
        read_answer(json.dumps({"status": 410, "token": token}).encode())


@given(st.binary() | st.binary().map(lambda inner: b'{"status":200,"messages":[' + inner + b"]}"))
def test_nothing_but_decode_error_is_raised(body: bytes) -> None:
    """Whatever comes."""
    try:
        answer = read_answer(body)
    except DecodeError:
        return
    assert isinstance(answer.status, int)


@pytest.mark.contract("C40")
@pytest.mark.parametrize("data", [b"", b"\x00\x01", bytes(range(256)), b"\n" * 100])
def test_bytes_travel_as_one_base64_line(data: bytes) -> None:
    """Padded, of the standard alphabet, without a line break."""
    line = encode_line(data)
    assert base64.b64decode(line.data, validate=True) == data
    assert b"\n" not in line.data
    assert not line.alone


def test_text_that_is_no_line_goes_alone() -> None:
    """Servers take what does not begin with a bracket for base64, and a line break for an end."""
    assert encode_line('["1",null,"é"]') == Line('["1",null,"é"]'.encode())
    assert encode_line('{"topic":"t"}').alone
    assert encode_line('[\n"1"]').alone


@pytest.mark.contract("C40")
def test_a_text_of_the_server_may_be_a_binary_frame() -> None:
    """Phoenix puts the bytes of a binary frame into the JSON, if they are UTF-8."""
    frame = b"\x01\x01\x01\x01\x0211tokh\xc3\xa9"
    body = b'{"status":200,"messages":["\\u0001\\u0001\\u0001\\u0001\\u000211tokh\xc3\xa9"]}'
    assert read_answer(body).messages == (frame,)


def test_no_repr_shows_what_is_secret() -> None:
    """Neither token nor messages."""
    shown = repr(read_answer(b'{"status":200,"token":"secret","messages":["secret"]}'))
    assert "secret" not in shown + repr(encode_line('["secret"]'))
