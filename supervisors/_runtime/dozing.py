"""A GenServer that hibernates, or waits for a `Timeout`: what is done before its next message."""

from __future__ import annotations

from typing import Any, ClassVar

from supervisors._runtime.items import IdleElapsed
from supervisors._runtime.stashing import StashingActor
from supervisors._runtime.timers import Timer, timers
from supervisors.clock import as_seconds

__all__ = ["DozingActor"]


class DozingActor(StashingActor):
    """An actor that can sleep, and be told that nothing came for a while; see GenServer."""

    # Whether the class leaves it to GenServer what becomes of a message.
    _otp_direct: ClassVar[bool] = False
    _otp_idle: Timer | None = None
    _otp_turn: int = 0
    _otp_asleep: bool = False

    def on_hibernate(self) -> None:
        """Give back what can be made again; called when the actor hibernates."""

    def on_wake(self) -> None:
        """Prepare for work; called before the first message after hibernation."""

    def _otp_sleep(self) -> None:
        """Hibernate, unless it does already."""
        if not self._otp_asleep:
            self._otp_asleep = True
            self._otp_look_again()
            self.on_hibernate()

    def _otp_rouse(self, kind: type) -> None:
        """Before a message is handled, be awake and end the wait for a Timeout (S162)."""
        if self._otp_idle is not None and kind is not IdleElapsed:
            self._otp_idle.cancel()
            self._otp_idle = None
            self._otp_turn += 1
        slept, self._otp_asleep = self._otp_asleep, False
        self._otp_look_again()
        if slept:
            self.on_wake()

    def _otp_arm_idle(self, seconds: Any) -> None:
        delay = as_seconds(seconds, "Timeout.seconds")
        if delay is None:
            return
        self._otp_turn += 1
        process, turn = self._process, self._otp_turn
        self._otp_idle = timers.after(delay, lambda: process.post(IdleElapsed(turn)))
        self._otp_look_again()
        process.keep_timer(self._otp_idle)

    def _otp_look_again(self) -> None:
        waits = self._otp_asleep or self._otp_idle is not None
        self._process.unusual = waits or self._otp_gets_everything
        watched = "_otp_receive" in self.__dict__
        process = self._process
        process.direct = self._otp_direct and not waits and not watched
        # Looked at afterwards, for who ends it does it the other way round.
        if process.ended:
            process.direct = False
