"""What the components of a client have in common: parts of the client, given before their init."""

from __future__ import annotations

from typing import Any

from supervisors import GenServer

__all__ = ["Part"]


class Part(GenServer):
    """A component. Its supervisor sets `_phx_given`: all clients share its specification."""

    _phx_given: tuple[Any, ...] = ()

    def _otp_begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return GenServer._otp_begin(self, self._phx_given, kwargs)
