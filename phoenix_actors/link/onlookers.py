"""Whether anybody wants to see each push and each message of a client before, or beside, its end.

Nearly always nobody does: then pushes go straight to the wire, and answers to whoever waits. That
is told by one comparison for each of them, without a call; `telemetry.unheard`, which knows of
listeners alone, takes one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.telemetry import MESSAGE_RECEIVED, MESSAGE_SENT, PUSH_START, PUSH_STOP
from supervisors import telemetry

if TYPE_CHECKING:
    from phoenix_actors.link.session import Session

__all__ = ["Onlookers"]

_EVENTS: Final = (MESSAGE_SENT, MESSAGE_RECEIVED, PUSH_START, PUSH_STOP)


class Onlookers:
    """Those of one client: hooks that see messages, counts by topic, listeners to their events.

    Law: whoever adds a hook, or begins to count, calls `changed` after that. Safe from any thread.
    """

    __slots__ = ("_session", "none_beside")

    def __init__(self, session: Session) -> None:
        """Look at this client's hooks and counts."""
        self._session = session
        # The table of the process's listeners with which there is none; None where it is to be
        # looked at, as any other table than the present one says, too.
        self.none_beside: Any = None

    @property
    def hooked(self) -> bool:
        """Whether there is a hook; there is none where `none_beside` is set."""
        session = self._session
        return bool(session.hooks.message or session.message_hooks)

    def changed(self) -> None:
        """There may be one more, or one less."""
        self.none_beside = None

    def none(self) -> bool:
        """Tell whether there is none.

        Who asks for every push and message compares `none_beside` first.
        """
        table = telemetry._table
        if not self._none(table):
            return False
        self.none_beside = table
        # One that came while this looked has said so before that, perhaps.
        if self._none(table):
            return True
        self.none_beside = None
        return False

    def _none(self, table: Any) -> bool:
        return not (
            self._session.traffic is not None
            or self.hooked
            or any(event in table for event in _EVENTS)
        )
