"""The error of an attempt that its client gave up: nobody wants a connection any more."""

from __future__ import annotations

from phoenix_actors.errors import ConnectError

__all__ = ["AttemptAborted"]


class AttemptAborted(ConnectError):
    """`abort()` was called meanwhile: nobody wants a connection, by another transport neither."""
