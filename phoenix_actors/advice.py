"""What the texts of errors say of where to look and what comes next."""

from __future__ import annotations

from typing import Any, Final

from supervisors.exits import Abandoned, Crashed, Killed

__all__ = ["AFTER_INIT", "CRASHED", "ELSEWHERE", "NOT_ITS_OWN", "closed", "refused", "unanswered"]

# What is said to who would wait for his own thread: on the reader thread; in an init of a channel,
# which joins behind that; and in a handler of one, behind which its next message comes.
ELSEWHERE: Final = "call it from another thread or from an actor, or do not wait for the result"
AFTER_INIT: Final = "do so in handle_join(), or return Continue(...) for handle_continue()"
NOT_ITS_OWN: Final = "take them in handle_message(), or iterate in another thread or actor"
CRASHED: Final = (
    "found the server's channel gone, which crashes on an event that it does not handle: "
    "see the server's log; the topic is joined again by itself"
)
"""What is said of a push whose channel the server said has crashed."""

# What Phoenix means by a status.
_REFUSALS: Final = {
    403: "check params and token, which connect/3 gets, and the origin if you send one",
    404: "check the URL's path, which is that of the socket in the endpoint",
}


def refused(status: int, url: str | None) -> str:
    """Return what is said of an upgrade that was answered with another status than 101.

    Example:
        >>> refused(503, "ws://h/s")
        "the server refused the connection with HTTP status 503 (ws://h/s): see the server's log"
    """
    where = "" if url is None else f" ({url})"
    advice = _REFUSALS.get(status, "see the server's log")
    return f"the server refused the connection with HTTP status {status}{where}: {advice}"


def unanswered(timeout: float | None, ref: str | None) -> str:
    """Return what is said of a push that ran out of time; it has a ref once it was sent."""
    if ref is None:
        return f"was not sent within {timeout} seconds: the channel was not joined by then"
    return f"got no reply within {timeout} seconds: it may have been handled all the same"


def closed(reason: Any) -> str:
    """Return what is said of a push whose channel ended for this reason, if one is known."""
    if isinstance(reason, Crashed | Killed | Abandoned):
        return "lost the channel's actor: see its report; it is started again and joins by itself"
    told: str | None = getattr(reason, "_advice", None)
    return "found the channel closed: join() the topic again" if told is None else told
