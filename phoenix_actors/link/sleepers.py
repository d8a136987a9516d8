"""Which channels hibernate, and what that saved: read without asking the manager that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors._locks import new_lock

if TYPE_CHECKING:
    from phoenix_actors.link.topic import Topic
    from phoenix_actors.options import SocketOptions
    from supervisors._runtime.resting import GivenBack

__all__ = ["Sleepers", "sleeps"]


class Sleepers:
    """The hibernating channels of one client. Safe from any thread; outlives its manager."""

    def __init__(self, options: SocketOptions) -> None:
        """Start with none."""
        self._options = options
        self._lock = new_lock()
        self._total = self._saved = self._threads = 0

    def add(self, given_back: GivenBack) -> None:
        """Count a channel that went to sleep."""
        with self._lock:
            self._total += 1
            self._saved += given_back.bytes
            self._threads += given_back.thread

    def counts(self) -> tuple[int, int]:
        """Return how often a channel went to sleep, and the bytes that this saved."""
        with self._lock:
            return self._total, self._saved

    def stats(self, topics: list[Topic], now: float) -> dict[str, Any]:
        """Return what there is and was; times in seconds, memory in bytes.

        `oldest_idle_time` is that of the awake channel that was used longest ago, as of the
        manager's last look; None when there is none.
        """
        options = self._options
        awake = [topic for topic in topics if not sleeps(topic)]
        idle = [now - since for topic in awake if (since := topic.idle_since) is not None]
        with self._lock:
            return {
                "enabled": options.hibernation_enabled,
                "total_hibernations": self._total,
                "total_memory_saved": self._saved,
                "threads_given_back": self._threads,
                "current_hibernated": len(topics) - len(awake),
                "current_tracked": len(topics),
                "oldest_idle_time": max(idle, default=None),
                "idle_timeout": options.hibernation_idle_timeout,
                "check_interval": options.hibernation_check_interval,
                "memory_threshold": options.hibernation_memory_threshold,
            }


def sleeps(topic: Topic) -> bool:
    """Tell whether a channel went to sleep and nothing has woken it."""
    core = topic.core
    process = None if core is None else core.actor.process
    return process is not None and bool(getattr(process.actor, "_otp_asleep", False))
