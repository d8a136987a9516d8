"""A join as nearly all are: one step of its channel's machine each way, without the words for it.

What is done here is what the machine would answer to the events of the same meaning, and leaves it
as they would. Law: where anything else is to be done, nothing is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phoenix_actors.machines.channel_events import ChannelTimer
from phoenix_actors.machines.channel_rules import Phase
from phoenix_actors.machines.timers import CancelTimer
from phoenix_actors.message import PHX_REPLY

if TYPE_CHECKING:
    from phoenix_actors.machines.channel import ChannelMachine
    from phoenix_actors.machines.timers import ArmTimer
    from phoenix_actors.message import Frame

__all__ = ["begin_join", "finish_join"]


def begin_join(
    machine: ChannelMachine, generation: int, timeout: float | None, token: Any
) -> ArmTimer | None:
    """Have a new machine join, as `SocketOpened` and `JoinRequested` do; return the timer to arm.

    A join with the machine's new `join_ref` is to be sent before.

    Args:
        machine: it has heard of no event yet.
        generation: of the connection, which is open.
        timeout: seconds for the answer.
        token: of whoever waits for the join; None where nobody does.
    """
    machine.generation, machine.open, machine.phase = generation, True, Phase.JOINING
    machine._waiting, machine._timeout = token, timeout
    machine.join_ref = machine.policy.next_ref()
    return None if timeout is None else machine.arm(ChannelTimer.JOIN, timeout)


def finish_join(
    machine: ChannelMachine, frame: Frame, generation: int
) -> tuple[Any, Any, list[CancelTimer]] | None:
    """Take the server's ok to the join, as `FrameArrived` does; None, undone, for all else.

    Return the response, the token of whoever waits, and the timers to cancel.
    """
    ref = machine.join_ref
    if (
        machine.phase is not Phase.JOINING
        or frame.event != PHX_REPLY
        or frame.ref != ref
        or (frame.join_ref is not None and frame.join_ref != ref)
        or generation != machine.generation
        or not machine.open
    ):
        return None
    payload, passing = frame.payload, machine._passing
    if type(payload) is not dict or payload.get("status") != "ok" or passing.buffer is not None:
        return None
    token = passing.waiting
    machine.phase = Phase.JOINED
    machine.join_count += 1
    if token is not None or passing.tries:
        passing.waiting, passing.tries = None, 0
        machine._be_at_rest()
    # Without pushes that wait, and while it joins, there is the timer of the join at most.
    armed, machine._armed = machine._armed, ()
    return payload.get("response", {}), token, [CancelTimer(timer) for timer, _ in armed]
