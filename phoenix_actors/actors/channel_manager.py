"""`channel_manager`: the supervisor of the channel actors, one child per wanted topic.

Each topic has a restart budget of its own. One that exceeds it is closed and reported; neither the
manager nor the other topics notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phoenix_actors.actors.channel_start import start_channel
from phoenix_actors.errors import JoinCancelled, JoinError
from phoenix_actors.link.deeds import Deeds, carry_out
from phoenix_actors.link.session import Session
from phoenix_actors.link.topic import Topic
from phoenix_actors.message import ChannelState
from phoenix_actors.telemetry import CHANNEL_GAVE_UP, emit
from supervisors import ChildSpec, ExitReason, NoProcError, Strategy, is_abnormal
from supervisors._machines.supervision import Flags
from supervisors._machines.vocabulary import (
    ChildExited,
    EmitReport,
    Report,
    RequestReceived,
    RequestVerb,
)
from supervisors._runtime.current import current
from supervisors._runtime.items import Call
from supervisors._runtime.supervising import Plan
from supervisors.dynamic_supervisor import DynamicSupervisor

if TYPE_CHECKING:
    from supervisors._runtime.process import Process

__all__ = ["ChannelManager", "EnsureChannel"]

_WINDOW = 5.0


class EnsureChannel(Call):
    """Start the channel actor of a wanted topic, unless this manager has done so already.

    It is its own answer: nobody waits for that, for the topic's record tells what became of it.
    """

    __slots__ = ("message", "ref", "topic")

    def __init__(self, topic: Topic) -> None:
        """Ask for the actor of this topic."""
        self.topic = topic
        self.message = self.ref = None

    @property
    def future(self) -> Any:
        """Where the answer goes."""
        return self

    def settle(self, value: Any) -> bool:
        """Close a topic whose first channel actor answered IGNORE; restarts are the manager's."""
        if value is None:
            self._close("was not joined: the init of its channel actor answered IGNORE", None)
        return True

    def fail(self, error: BaseException) -> bool:
        """Close a topic whose first channel actor did not come up."""
        # Where the manager has ended, the next one starts it.
        if not isinstance(error, NoProcError):
            self._close(f"was not joined: {error}", error)
        return True

    def settle_quietly(self, outcome: tuple[bool, Any]) -> None:
        """Say nothing: the process was forked, and in the child there is no client."""

    def _close(self, problem: str, error: BaseException | None) -> None:
        failure = JoinError(self.topic.name, problem)
        failure.__cause__ = error
        self.topic.abandon(failure)


class ChannelManager(DynamicSupervisor):
    """Starts, restarts and forgets channel actors; made by the client's tree."""

    _phx_given: tuple[Session]
    _phx_session: Session
    _phx_stopping: bool = False

    def _otp_plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plan:
        self._phx_session = session = self._phx_given[0]
        session.manager = self._process
        return Plan(
            Flags(
                strategy=Strategy.ONE_FOR_ONE,
                max_restarts=session.options.channel_max_restarts,
                max_seconds=_WINDOW,
                dynamic=True,
                budget_per_child=True,
                label=self._process.path(),
            )
        )

    def _otp_after_start(self) -> None:
        """Start every topic that was wanted before this manager lived, in that order."""
        super()._otp_after_start()
        for topic in self._phx_session.topics():
            # By messages, so that many of them do not keep a thread.
            if topic.manager is not self._process and not topic.leaving:
                topic.manager = self._process
                request = EnsureChannel(topic)
                self._otp_feed(RequestReceived(request, RequestVerb.START_CHILD, topic))

    def _otp_receive(self, item: Any) -> None:
        if type(item) is EnsureChannel:
            self._phx_ensure(item)
        elif isinstance(item, Call) and item.message == "stats":
            self._process.defer(item.future)
            item.future.settle(self._phx_stats())
        elif type(item) is ChildExited:
            self._phx_child_exited(item)
        else:
            super()._otp_receive(item)

    def _otp_stop_ordered(self, reason: ExitReason) -> None:
        self._phx_stopping = True
        super()._otp_stop_ordered(reason)

    def _phx_ensure(self, request: EnsureChannel) -> None:
        topic = request.topic
        if topic.manager is self._process or topic.leaving:
            return
        deeds: Deeds = []
        if start_channel(self, topic, current.here, deeds):
            carry_out(deeds)
        else:
            topic.manager = self._process
            self._otp_feed(RequestReceived(request, RequestVerb.START_CHILD, topic))

    def _phx_stats(self) -> dict[str, Any]:
        """Return how many topics are wanted and joined, and how many channel actors live."""
        states = [topic.state for topic in self._phx_session.topics()]
        joined = states.count(ChannelState.JOINED)
        return {"topics": len(states), "joined": joined, "actors": len(self._otp_lives)}

    def _phx_child_exited(self, item: ChildExited) -> None:
        """Leave the topic of an actor that ended by its own choice: nobody starts it again.

        One that was ended by the end of the registry, in which it stood, is started by the next
        manager.
        """
        process = self._otp_lives.get(item.incarnation)
        super()._otp_receive(item)
        stays = self._phx_stopping or is_abnormal(item.reason)
        if process is not None and not stays and self._phx_session.registry() is not None:
            topic: Topic = process.actor._phx_topic  # type: ignore[attr-defined]  # a ChannelActor
            topic.abandon()

    def _otp_prepare(self, process: Process, spec: ChildSpec) -> None:
        actor: Any = process.actor  # a ChannelActor
        actor._phx_topic = spec.id
        # Here, where every channel actor gets the same attributes in the same order, they share
        # one table of names; set for the first time at the first sleep, each would get its own.
        actor._otp_asleep = False

    def _otp_shown(self, spec: ChildSpec) -> ChildSpec:
        topic: Topic = spec.id
        return spec.with_(id=topic.name)

    def _otp_report(self, report: EmitReport) -> None:
        super()._otp_report(report)
        if report.kind is Report.GAVE_UP:
            topic: Topic = report.child_id
            emit(CHANNEL_GAVE_UP, topic=topic.name, reason=type(report.reason).__name__)
            problem = "was given up: its channel actor crashed more often than it may"
            topic.abandon(JoinCancelled(topic.name, problem))
