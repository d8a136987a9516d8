"""`hibernation_manager`: lets idle channels give back what they can do without.

A channel is idle when no frame came, no push was made and no message woke it for
`hibernation_idle_timeout` seconds; that is looked at every `hibernation_check_interval`, so it is
asleep at most one interval later. First its `on_hibernate()` runs, where the class has one. Then go
its queues, which are made anew with the next message, and its thread, if it has one of its own.
The next frame or message wakes it: `on_wake()` runs first, nothing is lost or overtaken.

What `stats()` calls saved are the bytes of these objects by `sys.getsizeof`. A thread's stack is
not in it, nor what `on_hibernate()` gives back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from phoenix_actors.actors.part import Part
from phoenix_actors.link.core import ChannelCore
from phoenix_actors.link.session import Session
from phoenix_actors.link.sleepers import sleeps
from phoenix_actors.link.topic import Topic
from phoenix_actors.telemetry import (
    HIBERNATION_BATCH,
    HIBERNATION_STARTED,
    HIBERNATION_TERMINATING,
    emit,
)
from supervisors import ExitReason, GenServer, Timer
from supervisors._runtime.items import Urge
from supervisors._runtime.process import Process
from supervisors._runtime.resting import has_thread, holds, rest
from supervisors._runtime.timers import timers
from supervisors._runtime.trimming import trim

__all__ = ["HibernationManager"]

_CHECK = "check"
# Seconds until it is looked again whether the turn is over in which an actor went to sleep.
_TURN = 0.01
_TRIM = "trim"
# Seconds in which the threads that were given back end.
_ENDING = 0.5


class _Asleep(msgspec.Struct, frozen=True):
    """The actor of this topic has run its `on_hibernate()`."""

    topic: Topic


class HibernationManager(Part):
    """Looks for idle channels now and then; made by the client's tree."""

    def init(self, session: Session) -> None:
        """Arm the first check, unless hibernation is switched off."""
        self.session = session
        # Until the memory of threads that were given back goes to the operating system.
        self._trimming: Timer | None = None
        options = session.options
        if options.hibernation_enabled:
            self.send_after(options.hibernation_check_interval, _CHECK)
            timeout, interval = options.hibernation_idle_timeout, options.hibernation_check_interval
            emit(HIBERNATION_STARTED, idle_timeout=timeout, check_interval=interval)

    def handle_info(self, message: Any) -> None:
        """Check, and arm the next check; or have a sleeping actor give back its memory."""
        if isinstance(message, _Asleep):
            self._give_back(message)
        elif message == _TRIM:
            trim()
        elif message == _CHECK:
            self.check(timers.clock.now())
            self.send_after(self.session.options.hibernation_check_interval, _CHECK)
        else:
            super().handle_info(message)

    def check(self, now: float) -> None:
        """Put the channels to sleep that are idle."""
        sleepers, topics = self.session.sleepers, self.session.topics()
        count, saved = sleepers.counts()
        for topic in topics:
            since = topic.idle_since
            if since is None:
                topic.idle_since = now
            elif now - since >= self.session.options.hibernation_idle_timeout:
                self._put_to_sleep(topic)
        count_now, saved_now = sleepers.counts()
        if count_now > count:
            measurements = {
                "hibernated_count": count_now - count,
                "memory_saved_bytes": saved_now - saved,
                "tracked_processes": len(topics),
            }
            emit(HIBERNATION_BATCH, measurements)

    def _put_to_sleep(self, topic: Topic) -> None:
        """Have the actor of an idle topic hibernate, where that is worth it."""
        core = topic.core
        process = None if core is None else core.actor.process
        if core is None or process is None or sleeps(topic):
            return
        cls = core.actor.actor_class
        if cls.on_hibernate is not GenServer.on_hibernate or cls.on_wake is not GenServer.on_wake:
            me = self.actor_ref

            def sleep(process: Process) -> None:
                process.actor._otp_sleep()  # type: ignore[attr-defined]  # a ChannelActor
                me.send_info(_Asleep(topic))

            process.order(Urge(sleep))
            return
        held = core.holds() + holds(process)
        if held >= self.session.options.hibernation_memory_threshold or has_thread(process):
            self._rest(core, process, hooked=False)

    def _give_back(self, message: _Asleep) -> None:
        """Do the second half for an actor with hooks, once its turn is over; unless it woke."""
        core = message.topic.core
        process = None if core is None else core.actor.process
        if core is None or process is None or not process.actor._otp_asleep:  # type: ignore[attr-defined]
            return
        if not self._rest(core, process, hooked=True):
            self.send_after(_TURN, message)

    def _rest(self, core: ChannelCore, process: Process, *, hooked: bool) -> bool:
        """Let an idle actor give back its memory; False when it is not idle."""

        def also() -> int:
            # No turn runs, and who sends a message now finds the actor asleep. One with hooks was
            # asleep before; it may have been woken meanwhile, and then it stays awake.
            actor: Any = process.actor
            if not hooked:
                actor._otp_asleep = process.unusual = True
            return core.give_back()

        given_back = rest(process, also)
        if given_back is None:
            return False
        self.session.sleepers.add(given_back)
        if given_back.thread and not (self._trimming is not None and self._trimming.waiting):
            self._trimming = self.send_after(_ENDING, _TRIM)
        return True

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer `"stats"`."""
        if request != "stats":
            return super().handle_call(request, sender)
        return self.session.hibernation_stats()

    def terminate(self, reason: ExitReason) -> None:
        """Tell what there was."""
        if self.session.options.hibernation_enabled:
            total, saved = self.session.sleepers.counts()
            measurements = {
                "tracked_processes": len(self.session.topics()),
                "total_hibernations": total,
                "total_memory_saved_bytes": saved,
            }
            emit(HIBERNATION_TERMINATING, measurements)
