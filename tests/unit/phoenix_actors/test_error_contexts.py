"""No error keeps what it is about: neither itself nor by the errors that hang on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from phoenix_actors import DecodeError, EncodeError, PhoenixError, SocketOptions
from phoenix_actors.options.endpoint import build_url, encode_params
from phoenix_actors.options.proxy_options import Proxy
from phoenix_actors.protocol.serializer import serializer_for
from phoenix_actors.transport.handshake import target_of

SECRET = "SWORDFISH"  # noqa: S105  what is looked for
LONE = f"{SECRET}\ud800"


class Telling:
    """A JSON library whose errors show what it was given."""

    @staticmethod
    def encode(value: Any) -> str:
        """Refuses what it should not show."""
        if SECRET in repr(value):
            raise ValueError(value)
        return json.dumps(value)

    @staticmethod
    def decode(text: str) -> Any:
        """Refuses what it should not show."""
        if SECRET in text:
            raise ValueError(text)
        return json.loads(text)


def options(**given: Any) -> SocketOptions:
    """Checks options."""
    return SocketOptions.of(**{"url": "ws://h/socket", **given})


STRICT = [serializer_for("2.0.0"), serializer_for("1.0.0")]
BY_LIBRARY = [
    serializer_for(vsn, options(json_library=Telling).json_library) for vsn in ("2.0.0", "1.0.0")
]


def mistakes() -> list[tuple[str, Callable[[], object]]]:
    """Returns mistakes that are made with a secret at hand."""
    made: list[tuple[str, Callable[[], object]]] = []
    payloads: list[Any] = [{"a": LONE}, {LONE: 1}, {"a": {SECRET}}, [10**5000, SECRET]]
    payloads += [{(SECRET,): 1}, {"a": SECRET, "b": float("nan")}, {True: SECRET}]
    texts = (SECRET, f'["{SECRET}"]', f'{{"a": "{SECRET}"}}', SECRET.encode() + b"\xff")
    made += [
        (f"payload {number}", partial(serializer.prepare, "t", "e", payload))
        for serializer in STRICT
        for number, payload in enumerate(payloads)
    ]
    made += [("library", partial(one.prepare, "t", "e", {"a": SECRET})) for one in BY_LIBRARY]
    made += [
        ("frame", partial(serializer.decode_text, text))
        for serializer in [*STRICT, *BY_LIBRARY]
        for text in texts
    ]
    made += [
        ("vsn", lambda: options(vsn=SECRET)),
        ("overflow", lambda: options(overflow=SECRET)),
        ("token", lambda: options(auth_token=LONE)),
        ("header", lambda: options(headers=[("a", f"{SECRET}\u0100")])),
        ("params", lambda: encode_params({"token": LONE})),
        ("url", lambda: build_url(f"ws://h/socket?token={LONE}")),
        ("port", lambda: build_url(f"ws://h:{SECRET}/socket")),
        ("target", lambda: target_of(f"ws://h:{SECRET}/socket")),
        ("proxy", lambda: Proxy.at(f"http://al:{SECRET}")),
    ]
    return made


@pytest.mark.parametrize(
    "mistake", [pytest.param(call, id=f"{name}-{n}") for n, (name, call) in enumerate(mistakes())]
)
def test_no_error_of_a_chain_holds_the_secret(mistake: Callable[[], object]) -> None:
    """Whoever logs an error with all that hangs on it logs nothing that was secret."""
    with pytest.raises(PhoenixError) as caught:
        mistake()
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [caught.value]
    while waiting:
        error = waiting.pop()
        if error is not None and error not in seen:
            seen.append(error)
            waiting += [error.__cause__, error.__context__]
    for error in seen:
        told = f"{error!r} {error} {error.args} {vars(error)}"
        if isinstance(error, UnicodeEncodeError | UnicodeDecodeError):
            told += repr(error.object)
        assert SECRET not in told


def test_an_integer_that_json_text_has_no_room_for() -> None:
    """Python refuses to write integers of more than 4,300 digits; that is an EncodeError, too."""
    with pytest.raises(EncodeError, match="an integer with more digits"):
        STRICT[0].prepare("t", "e", {"n": 10**5000})


def test_what_a_library_raises_is_named() -> None:
    """By its type, for a frame as for a payload."""
    with pytest.raises(DecodeError, match="not JSON: Telling raised ValueError"):
        BY_LIBRARY[0].decode_text(f'["{SECRET}"]')
    with pytest.raises(DecodeError, match="not UTF-8"):
        BY_LIBRARY[0].decode_text(b"\xff")
