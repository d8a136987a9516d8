"""JSON as frames hold it: strict both ways, by msgspec.

A payload that JSON cannot hold as it is meant raises before anything is sent; text that is no frame
is a `DecodeError`, whatever it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from itertools import chain
from typing import Any, Final, Protocol

import msgspec

from phoenix_actors.errors import DecodeError, EncodeError
from phoenix_actors.message import PHX_CLOSE, PHX_ERROR, Frame

__all__ = ["STRICT_JSON", "Json", "StrictJson", "V1Object", "check_names", "each", "plain_text"]


class V1Object(msgspec.Struct, frozen=True):
    """One frame of vsn 1.0.0; keys that it does not name are left out."""

    topic: str
    event: str
    payload: Any
    ref: str | None = None

    def frame(self) -> Frame:
        """Return it as a frame, which has no join_ref (C20).

        Only what ends a channel tells which join it ends: by its ref, if it has one.
        """
        ends = self.event in (PHX_CLOSE, PHX_ERROR)
        return Frame(self.ref if ends else None, self.ref, self.topic, self.event, self.payload)

    def __repr__(self) -> str:
        return f"V1Object(topic={self.topic!r}, event={self.event!r}, ref={self.ref!r})"


_encode: Final = msgspec.json.Encoder().encode
_decode_array: Final = msgspec.json.Decoder(Frame).decode
_decode_object: Final = msgspec.json.Decoder(V1Object).decode
# What a decoder raises; msgspec.DecodeError is a ValueError, as UnicodeError is.
_FAULTS: Final = (ValueError, RecursionError)

# msgspec writes sets as lists, NaN as null and dates as strings: the server would get something
# that the user never meant. So a payload may hold these types, finite floats, dicts, lists, tuples.
_PLAIN: Final = frozenset({str, int, bool, type(None)})
_all_plain: Final = _PLAIN.issuperset
_BYTES: Final = (bytes, bytearray, memoryview)


class Json(Protocol):
    """What writes and reads the text of frames. Safe from any thread."""

    def fit(self, payload: Any, topic: str | None, event: str | None) -> Any:
        """Return the payload as `dump` can write it, `{}` for None (C21).

        Raises:
            EncodeError: when it cannot be written.
        """
        ...

    def dump(self, value: Any, topic: str | None, event: str | None) -> str:
        """Return JSON text without white space around it.

        Raises:
            EncodeError: when the value cannot be written.
        """
        ...

    def payload_text(self, payload: Any) -> str:
        """Return a payload alone as JSON text.

        Raises:
            EncodeError: when it cannot be written; bytes have no JSON text.
        """
        ...

    def load_array(self, data: str | bytes) -> Frame:
        """Return the frame that an array of vsn 2.0.0 is, or raise DecodeError."""
        ...

    def load_arrays(self, texts: list[bytes]) -> list[Frame | DecodeError]:
        """Return the frames of several arrays; for one that is none, the error in its place."""
        ...

    def load_object(self, data: str | bytes) -> Frame:
        """Return the frame that an object of vsn 1.0.0 is, or raise DecodeError."""
        ...


class StrictJson:
    """The default: nothing is written as something else.

    Example:
        >>> STRICT_JSON.dump(["é", STRICT_JSON.fit(None, "t", "e")], "t", "e")
        '["é",{}]'
    """

    __slots__ = ()

    def fit(self, payload: Any, topic: str | None, event: str | None) -> Any:
        """Return the payload with instances of subclasses as what they stand for."""
        try:
            if payload is None:
                return {}
            return payload if _is_plain(payload) else _made_plain(payload)
        except _Unfit as unfit:
            raise EncodeError(str(unfit), topic, event) from None
        except RecursionError:
            raise EncodeError("it is nested too deep", topic, event) from None

    def dump(self, value: Any, topic: str | None, event: str | None) -> str:
        """Return JSON text of what `fit` gave."""
        try:
            return _encode(value).decode()
        except TypeError:
            # The one thing left for msgspec to refuse as a type: True, False and None as keys.
            problem = "it has True, False or None as a key"
        except UnicodeEncodeError:
            problem = "it has a lone surrogate"
        except ValueError:
            problem = "it has an integer with more digits than sys.get_int_max_str_digits()"
        except RecursionError:
            problem = "it is nested too deep"
        # Out here, so that no error with the payload in it hangs on this one as its context.
        raise EncodeError(problem, topic, event)

    def payload_text(self, payload: Any) -> str:
        """Return a payload alone as JSON text."""
        refuse_bytes(payload)
        return self.dump(self.fit(payload, None, None), None, None)

    def load_array(self, data: str | bytes) -> Frame:
        """Return the frame of an array; elements after the fifth are left out (C18)."""
        try:
            return _decode_array(data)
        except _FAULTS as error:
            refusal = _refusal(error, "an array of five")
        raise refusal

    def load_arrays(self, texts: list[bytes]) -> list[Frame | DecodeError]:
        """Return the frames of several arrays, or errors in their place."""
        try:
            return [*map(_decode_array, texts)]
        except _FAULTS:
            return each(self.load_array, texts)

    def load_object(self, data: str | bytes) -> Frame:
        """Return the frame of an object."""
        try:
            return _decode_object(data).frame()
        except _FAULTS as error:
            refusal = _refusal(error, "an object of topic, event, payload, ref")
        raise refusal


STRICT_JSON: Final = StrictJson()


def plain_text(payload: Any) -> str | None:
    """Return the JSON text of a payload as `STRICT_JSON` writes it, if that takes few steps.

    None for what is no dict, holds something that is not plain, or cannot be written.

    Example:
        >>> plain_text({"n": [1.5]}), plain_text(None), plain_text({"n": {1, 2}})
        ('{"n":[1.5]}', '{}', None)
    """
    if type(payload) is not dict:
        return "{}" if payload is None else None
    try:
        if _all_plain(map(type, chain(payload, payload.values()))) or _is_plain(payload):
            return _encode(payload).decode()
    except (*_FAULTS, TypeError):
        pass
    return None


def check_names(topic: Any, event: Any) -> None:
    """Refuse a topic or an event that is no string.

    Raises:
        EncodeError: names which.
    """
    if type(topic) is str and type(event) is str:
        return
    for field, text in (("topic", topic), ("event", event)):
        if not isinstance(text, str):
            problem = f"it is a {type(text).__name__}, not a string"
            raise EncodeError(problem, str(topic), str(event), field)


def each(load: Callable[[bytes], Frame], texts: list[bytes]) -> list[Frame | DecodeError]:
    """Return what `load` gives for each text, or the DecodeError that it raises."""
    loaded: list[Frame | DecodeError] = []
    for text in texts:
        try:
            loaded.append(load(text))
        except DecodeError as error:
            loaded.append(error)
    return loaded


def refuse_bytes(payload: Any) -> None:
    """Refuse bytes, which have no JSON text.

    Raises:
        EncodeError: the payload is bytes-like.
    """
    if isinstance(payload, _BYTES):
        raise EncodeError("bytes go out as they are: push them directly", None, None)


def _refusal(error: Exception, shape: str) -> DecodeError:
    """Return the error for what a decoder raised."""
    match error:
        case msgspec.ValidationError():
            return DecodeError(f"not {shape}: {error}")
        case msgspec.DecodeError():
            return DecodeError("not JSON")
        case UnicodeError():
            return DecodeError("not UTF-8")
        case RecursionError():
            return DecodeError("nested too deep")
        case _:
            return DecodeError("not JSON")


class _Unfit(Exception):
    """A payload holds what JSON cannot; the text says what, without the value."""


def _is_plain(value: Any) -> bool:
    """Tell whether JSON can hold a value as it is.

    Made for every push: the types of a container are looked at together, in C, and only what is
    neither plain nor a float costs another call.
    """
    kind = type(value)
    if kind is dict:
        if not value:
            return True
        inside = value.values()
        if _all_plain(map(type, chain(value, inside))):
            return True
        if not _all_plain(map(type, value)):
            return False
    elif kind is list or kind is tuple:
        inside = value
        if _all_plain(map(type, inside)):
            return True
    else:
        return kind in _PLAIN or (kind is float and math.isfinite(value))
    for inner in inside:
        kind = type(inner)
        if kind in _PLAIN:
            continue
        if not (math.isfinite(inner) if kind is float else _is_plain(inner)):
            return False
    return True


def _made_plain(value: Any) -> Any:
    """Return a value with instances of subclasses, such as enums, as what they stand for."""
    match value:
        case Enum():
            return _made_plain(value.value)
        case dict():
            return {_made_key(key): _made_plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_made_plain(inner) for inner in value]
        case None | bool():
            return value
        case str():
            return str.__str__(value)
        case int():
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case float():
            raise _Unfit("it has a number that is not finite")
        case _:
            raise _Unfit(f"it has a value of type {type(value).__name__}: make it plain JSON first")


def _made_key(key: Any) -> str | int:
    """Return a key with an instance of a subclass, such as an enum, as what it stands for."""
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return str.__str__(key)
    if isinstance(key, int) and not isinstance(key, bool):
        return int(key)
    raise _Unfit(f"it has a key of type {type(key).__name__}: use strings")
