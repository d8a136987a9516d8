"""Payloads in their encoded form, to be pushed again without encoding them again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["EncodedPayload", "EncodedPool"]


class EncodedPayload:
    """A payload's JSON text. What the payload becomes afterwards does not change it.

    `push(event, encoded)` sends it as it is, on any topic of any client.
    """

    __slots__ = ("_used", "text")

    def __init__(self, text: str, used: Callable[[int], None]) -> None:
        """Made by `binary_pool.encode(payload)`."""
        self.text = text
        self._used = used

    def __repr__(self) -> str:
        """Tell the size, not the content."""
        return f"<EncodedPayload {len(self.text)} characters>"

    def take(self) -> str:
        """Return the text and count the use."""
        self._used(len(self.text))
        return self.text


class EncodedPool:
    """Makes encoded payloads and counts their uses. Safe from any thread."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._encoded = self._encoded_characters = self._uses = self._reused_characters = 0

    def encode(self, payload: Any, to_text: Callable[[Any], str]) -> EncodedPayload:
        """Encode a payload once.

        Raises:
            EncodeError: it cannot be sent.
        """
        text = to_text(payload)
        with self._lock:
            self._encoded += 1
            self._encoded_characters += len(text)
        return EncodedPayload(text, self._used)

    def _used(self, characters: int) -> None:
        with self._lock:
            self._uses += 1
            self._reused_characters += characters

    def stats(self) -> dict[str, int]:
        """Return the counts: payloads encoded here, and pushes that needed no encoding."""
        with self._lock:
            return {
                "misses": self._encoded,
                "hits": self._uses,
                "characters_encoded": self._encoded_characters,
                "characters_reused": self._reused_characters,
            }
