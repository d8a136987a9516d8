"""The server's part in a test: which joins it takes, and what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from phoenix_actors.testing.channel import JoinRefused, Reply, ServerChannel, Stop
from phoenix_actors.testing.override import override
from phoenix_actors.testing.phoenix_socket import check_pattern, matches_topic
from supervisors._locks import new_lock
from supervisors.testing.matching import described, fits

if TYPE_CHECKING:
    from phoenix_actors.testing.recorder import RecordedFrame
    from supervisors.testing.probe import Received

__all__ = ["ReceivedPush", "Rule", "Script", "ScriptedChannel", "fitting", "wait_for"]

# How many of the frames that did not fit a failure shows.
_SHOWN = 10


class Rule:
    """How joins of some topics are answered, for ever or for a number of times."""

    def __init__(
        self,
        topic: str,
        response: Any,
        *,
        accepts: bool,
        replies: Mapping[str, Any] | None = None,
        times: int | None = None,
    ) -> None:
        check_pattern("topic", topic)
        if times is not None and (isinstance(times, bool) or times < 1):
            raise ValueError(f"times must be 1 or more, or None for ever, not {times!r}")
        self.topic = topic
        self.response = response
        self.accepts = accepts
        self.replies = dict(replies or {})
        self.left = times


class Script:
    """The rules, the newest first. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        """Adds a rule that counts before all others."""
        with self._lock:
            self._rules.insert(0, rule)

    def channel(self, topic: str) -> Callable[[], ServerChannel] | None:
        """Returns what makes the channel of this join, or None when no rule is about it."""
        with self._lock:
            for rule in self._rules:
                if matches_topic(rule.topic, topic):
                    if rule.left is not None:
                        rule.left -= 1
                        if rule.left == 0:
                            self._rules.remove(rule)
                    return partial(ScriptedChannel, rule)
        return None


class ScriptedChannel(ServerChannel):
    """A channel that does what the script of a test says; see `PhoenixServer.accept_join`."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    @override
    async def join(self, params: Any) -> Any:
        """Answers as the rule says."""
        response = self._rule.response
        if callable(response):
            response = response(params)
        if not self._rule.accepts:
            raise JoinRefused(response)
        return response

    @override
    async def handle_in(self, event: str, payload: Any) -> Reply | Stop | None:
        """Replies as the rule says; to other events not at all, which is left to the test."""
        if event not in self._rule.replies:
            return None
        reply = self._rule.replies[event]
        if callable(reply):
            reply = reply(payload)
        return reply if isinstance(reply, Reply | Stop | None) else Reply.ok(reply)


class ReceivedPush:
    """A push that an assertion has found; `reply()` answers it, from any thread.

    Attributes:
        topic, event, payload: what the client sent.
    """

    def __init__(self, push: RecordedFrame, answer: Callable[[str, Any], bool]) -> None:
        self.topic: str = push.frame.topic
        self.event: str = push.frame.event
        self.payload: Any = push.frame.payload
        self._ref = push.frame.ref
        self._answer = answer

    @override
    def __repr__(self) -> str:
        return f"<ReceivedPush {self.event!r} on {self.topic!r}>"

    def reply(self, response: Any = None, *, status: str = "ok") -> None:
        """Answers the push.

        Args:
            response: any JSON value, or bytes; left out, it is `{}`.
            status: "ok" or "error".

        Raises:
            ConnectionError: the client is no longer connected by that connection.
            ValueError: the client asked for no reply.
        """
        if self._ref is None:
            raise ValueError(f"the push of {self.event!r} has no ref: its sender wants no reply")
        if not self._answer(status, {} if response is None else response):
            raise ConnectionError(f"the connection that {self.event!r} came on is gone")


def wait_for(
    received: Received, wanted: tuple[Any, Any, Any], timeout: float | None, what: str
) -> RecordedFrame:
    """Waits for a frame and takes it, so that the next assertion finds the next one.

    Args:
        received: the frames that nobody has taken.
        wanted: patterns of topic, event and payload.
        timeout: seconds in all; None waits for ever.
        what: how a failure begins.

    Raises:
        AssertionError: none came in time; it says what came instead, payloads included.
    """
    __tracebackhide__ = True
    there, push = received.find(fitting(wanted), timeout)
    if there:
        found: RecordedFrame = push
        return found
    topic, _, payload = wanted
    others = [push.frame for push in received.all() if push.frame.topic != "phoenix"]
    came = [f"\n  {frame.topic} {frame.event} {frame.payload!r}" for frame in others[-_SHOWN:]]
    if len(others) > _SHOWN:
        came.append(f"\n  and {len(others) - _SHOWN} before these")
    instead = "".join(came) or " nothing else"
    raise AssertionError(
        f"{what} on {topic!r} with {described(payload)} within {timeout} s; there came{instead}"
    )


def fitting(wanted: tuple[Any, Any, Any]) -> Callable[[Any], bool]:
    """Returns the predicate of frames with this topic, event and payload."""
    return partial(_fits, wanted)


def _fits(wanted: tuple[Any, Any, Any], push: RecordedFrame) -> bool:
    frame = push.frame
    return fits(wanted, (frame.topic, frame.event, frame.payload))
