"""`hibernation_manager`: lets channel actors give back memory after a quiet time.

A channel counts as idle when no frame came and no push was made for `hibernation_idle_timeout`
seconds. It is told to hibernate: its `on_hibernate()` runs, and with the next message `on_wake()`.
"""

from __future__ import annotations

from typing import Any

from phoenix_actors.link.session import Session
from phoenix_actors.link.topic import Topic
from supervisors import GenServer
from supervisors._runtime.items import Urge
from supervisors._runtime.timers import timers

__all__ = ["HibernationManager"]

_CHECK = "check"


class HibernationManager(GenServer):
    """Looks for idle channels now and then; made by the client's tree."""

    def init(self, session: Session) -> None:
        """Arm the first check, unless hibernation is switched off."""
        self.session = session
        self.total = 0
        self.asleep: dict[Topic, float] = {}
        if session.options.hibernation_enabled:
            self.send_after(session.options.hibernation_check_interval, _CHECK)

    def handle_info(self, message: Any) -> None:
        """Check, and arm the next check."""
        if message != _CHECK:
            super().handle_info(message)
            return
        self._check(timers.clock.now())
        self.send_after(self.session.options.hibernation_check_interval, _CHECK)

    def _check(self, now: float) -> None:
        idle_after = self.session.options.hibernation_idle_timeout
        topics = self.session.topics()
        wanted = set(topics)
        self.asleep = {
            topic: since
            for topic, since in self.asleep.items()
            if topic in wanted and topic.last_active == since
        }
        for topic in topics:
            core = topic.core
            if core is None or topic in self.asleep or now - topic.last_active < idle_after:
                continue
            process = core.actor.process
            if process is not None:
                process.order(Urge(lambda process: process.actor._otp_sleep()))
                self.asleep[topic] = topic.last_active
                self.total += 1

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer `"stats"`."""
        if request != "stats":
            return super().handle_call(request, sender)
        options = self.session.options
        return {
            "enabled": options.hibernation_enabled,
            "total_hibernations": self.total,
            "current_hibernated": len(self.asleep),
            "current_tracked": len(self.session.topics()),
            "idle_timeout": options.hibernation_idle_timeout,
            "check_interval": options.hibernation_check_interval,
        }
