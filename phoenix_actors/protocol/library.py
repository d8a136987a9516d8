"""The text of frames by a JSON library of the user's (C29).

What it can write goes out: dates or decimals, if it knows them. What it raises is an `EncodeError`
or a `DecodeError`, which names the type of what was raised and no value. So is a number that is not
finite, which some write though JSON has none: the server would end the connection for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from phoenix_actors.errors import DecodeError, EncodeError
from phoenix_actors.message import Frame
from phoenix_actors.protocol.json_text import V1Object, each, refuse_bytes

if TYPE_CHECKING:
    from phoenix_actors.options import JsonLibrary

__all__ = ["LibraryJson"]

# What libraries write for numbers that are not finite; it may stand inside a string, too.
_NOT_FINITE: Final = re.compile("NaN|Infinity")


class LibraryJson:
    """See `Json`. Safe from any thread where the library is.

    Example:
        >>> import json
        >>> from phoenix_actors.options.json_library import json_library
        >>> LibraryJson(json_library("json_library", json)).dump(["t", {"a": 1}], "t", "e")
        '["t", {"a": 1}]'
    """

    __slots__ = ("_library",)

    def __init__(self, library: JsonLibrary) -> None:
        """Call these two functions."""
        self._library = library

    def fit(self, payload: Any, topic: str | None, event: str | None) -> Any:
        """Return the payload: what fits is for the library to say."""
        del topic, event
        return {} if payload is None else payload

    def dump(self, value: Any, topic: str | None, event: str | None) -> str:
        """Return what the library writes."""
        text = ""
        try:
            written: Any = self._library.encode(value)
            text = written if isinstance(written, str) else bytes(written).decode()
            text.encode()
            problem = None
        except Exception as error:  # noqa: BLE001  the library is not ours
            problem = f"{self._library.name} raised {type(error).__name__}"
        if problem is not None:
            # Out here, so that what the library raised, with the payload in it, is no context.
            raise EncodeError(problem, topic, event)
        if _NOT_FINITE.search(text) and not _is_json(text):
            raise EncodeError("it has a number that is not finite", topic, event)
        return text.strip()

    def payload_text(self, payload: Any) -> str:
        """Return a payload alone as JSON text."""
        refuse_bytes(payload)
        return self.dump(self.fit(payload, None, None), None, None)

    def load_array(self, data: str | bytes) -> Frame:
        """Return the frame of an array."""
        frame: Frame = self._loaded(data, Frame, "an array of five")
        return frame

    def load_arrays(self, texts: list[bytes]) -> list[Frame | DecodeError]:
        """Return the frames of several arrays, or errors in their place."""
        return each(self.load_array, texts)

    def load_object(self, data: str | bytes) -> Frame:
        """Return the frame of an object."""
        found: V1Object = self._loaded(data, V1Object, "an object of topic, event, payload, ref")
        return found.frame()

    def _loaded(self, data: str | bytes, kind: type[Any], shape: str) -> Any:
        """Return what the library reads, if it has the shape of a frame."""
        problem = "not UTF-8"
        try:
            text = data if isinstance(data, str) else bytes(data).decode()
            problem = f"not JSON: {self._library.name} raised "
            value = self._library.decode(text)
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            problem = f"not {shape}: {error}"
        except Exception as error:  # noqa: BLE001  the library is not ours
            problem += type(error).__name__ if problem.endswith(" ") else ""
        raise DecodeError(problem)


def _is_json(text: str) -> bool:
    """Tell whether the text is JSON, by a reader that is strict."""
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True
