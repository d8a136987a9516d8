"""The start of a channel actor that runs nothing of a user's: one step, in the thread that joins.

The step is a turn of the channel manager, in which the actor is made and its topic begins to join;
what may wait, or run code of a user's, comes behind it: the join is written, and events are told.
In the main thread a signal's handler may raise wherever it comes, so there the step is one of
`shield`, and the join is written in it, too, where the transport sends without waiting. Laws: a
topic has its actor, or its manager was not told of it; a join that is ready to be written is
written, by this thread or by the writer's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from phoenix_actors.link.deeds import Deeds, carry_out, make_good
from phoenix_actors.link.news import Ended
from phoenix_actors.telemetry import FAULT, MESSAGE_SENT
from supervisors._runtime.current import current
from supervisors._runtime.handover import only_waits
from supervisors._runtime.in_place import in_turn
from supervisors._runtime.launching import launch_of
from supervisors._runtime.outcomes import UNDONE
from supervisors._runtime.plain_child import start_in_turn
from supervisors._runtime.shield import shielded
from supervisors.telemetry import unheard, wanted

if TYPE_CHECKING:
    from phoenix_actors.link.topic import Topic
    from supervisors._runtime.current import Here
    from supervisors._runtime.process import Process

__all__ = ["start_channel", "start_channel_here"]

_STARTED: Final = ("supervisors", "child", "started")
_sent_unheard = unheard(MESSAGE_SENT, FAULT)


def start_channel_here(manager: Process, topic: Topic) -> bool:
    """Start the actor of a wanted topic in this thread, and send its join.

    Args:
        manager: the channel manager.
        topic: nothing of it was encoded here: `prepared` is, or its params are a function.

    Returns:
        Whether it is done; else nothing is, and the manager is to be told.

    Raises:
        BaseException: what a signal's handler raises; the topic's `manager` tells whether the actor
            was started before.
    """
    here = current.here
    # Params that are a function are asked for in a thread of their own, whose start an exception of
    # a signal's handler could prevent: behind the step nobody would notice that.
    if topic.prepared is None or not _is_plain(topic) or only_waits(here, 6, shielded=True):
        return False
    # Who is told of it is a user's code.
    if wanted(_STARTED, quiet=True):
        return False
    after: Deeds = []
    done: Any = UNDONE
    try:
        try:
            if here.is_main:
                done = shielded(_in_turn_and_write, manager, topic, here, after)
            else:
                done = _in_turn(manager, topic, here, after)
        finally:
            carry_out(after)
    except BaseException:
        make_good(after)
        raise
    return done is not UNDONE


def start_channel(manager: Any, topic: Topic, here: Here, after: Deeds) -> bool:
    """Start the actor of a wanted topic in a turn of its manager, whoever runs that.

    Args:
        manager: the channel manager's actor.
        topic: a wanted one.
        here: this thread's values of `current`.
        after: gets what is to be done behind the turn: writing the join, telling of events.

    Returns:
        Whether it is done, or was before; else nothing is, and the ordinary way has to be gone.
    """
    return _is_plain(topic) and _start(manager, (topic, here, after)) is not UNDONE


def _is_plain(topic: Topic) -> bool:
    spec = topic.spec
    launch: Any = launch_of(spec)
    bare: bool = launch.is_bare and not (spec.args or launch.kwargs)
    return bare and launch.cls._phx_starts_plainly()


def _in_turn(manager: Process, topic: Topic, here: Here, after: Deeds) -> Any:
    if "_otp_receive" in manager.actor.__dict__:
        # Somebody watches what it gets.
        return UNDONE
    return in_turn(manager, here, _start, (topic, here, after), idle=True)


def _in_turn_and_write(manager: Process, topic: Topic, here: Here, after: Deeds) -> Any:
    """Write the join in the step, too, where nobody is told of it and it is not waited for.

    What a signal's handler raises in the middle of a send would end the connection.
    """
    done = _in_turn(manager, topic, here, after)
    wire = topic.session.wire
    lane = None if wire is None else wire.outbox.lane
    if after and lane is not None and lane.send_now is not None and _sent_unheard():
        wire.outbox.flush_now()  # type: ignore[union-attr]
    return done


def _start(manager: Any, what: tuple[Topic, Here, Deeds]) -> Any:
    topic, here, after = what
    process: Process = manager._process
    if topic.manager is process or topic.leaving:
        return True
    former, topic.manager = topic.manager, process
    ref = start_in_turn(manager, (topic, topic._launch.cls, here))  # type: ignore[arg-type]
    if ref is UNDONE:
        topic.manager = former
        return UNDONE
    child = ref.process
    # One that was ended meanwhile is its supervisor's to start again.
    if child is not None and not child.actor._phx_begin_life(after):
        # Whoever left the topic has closed it.
        after.append(partial(ref.cast, Ended()))
    return True
