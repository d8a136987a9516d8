"""`typing.override` of Python 3.12, for Python 3.11 as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method: object) -> object:
        """Returns the method as it is; type checkers know the real one."""
        return method


__all__ = ["override"]
