"""One attempt to connect, and the connection that comes of it: its threads and its end.

It runs on a thread of its own, for params, DNS and TLS may all take their time, and tells the
Socket actor by messages only. Whatever becomes of it, `ended` settles, and then nothing of it is
open any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from phoenix_actors.errors import ConnectError, ConnectTimeout, PhoenixError
from phoenix_actors.link.reader import Reader
from phoenix_actors.machines.connection_events import (
    ConnectFailed,
    TransportClosed,
    TransportConnected,
)
from supervisors import CallTimeout, Reply
from supervisors._locks import new_lock
from supervisors._runtime.timers import Timer, timers

if TYPE_CHECKING:
    from phoenix_actors.link.wire import Wire
    from phoenix_actors.options import TransportOptions
    from phoenix_actors.transport.interface import TransportHandle

__all__ = ["Attempt", "AttemptNews"]

AttemptNews: TypeAlias = ConnectFailed | TransportClosed | TransportConnected

# Seconds that frames which wait may take to be written before a close.
_FLUSH_TIMEOUT = 1.0
# Seconds for a former connection to be gone before this one opens.
_PATIENCE = 2.0


class Attempt:
    """One generation. Safe from any thread.

    Args:
        wire: of the Socket actor; its reader feeds it.
        generation: the number of the attempt.
        before: former attempts, none of which may be open when this one opens.
        tell: takes the news, and must not wait.
        tell_here: takes the news that it is open, in the thread that is going to read it: where the
            actor is idle it deals with that in there, and no other thread has to be woken.
    """

    def __init__(
        self,
        wire: Wire,
        generation: int,
        before: list[Attempt],
        tell: Callable[[AttemptNews], object],
        tell_here: Callable[[AttemptNews], object] | None = None,
    ) -> None:
        """Begin with nothing open; `start` follows."""
        self.generation = generation
        self.ended = Reply()
        # As `TransportEvents.closed` told it.
        self.ending: tuple[int | None, str, bool] = (1006, "the peer did not answer", False)
        self._wire = wire
        self._tell = tell
        self._tell_here = tell_here or tell
        self._before = before
        self._lock = new_lock()
        self._handle: TransportHandle | None = None
        self._reader = Reader(wire, generation, self._connected, self._closed)
        self._aborted = False
        self._opening = False
        self._asking = False
        # Both the handle and the news that it is open must be there; either may come first.
        self._missing = ["handle", "connected"]
        self._threads: list[threading.Thread] = []

    def __repr__(self) -> str:
        """Tell which one it is and whether it is over."""
        return f"<Attempt {self.generation} {'ended' if self.ended.done() else 'alive'}>"

    @property
    def gone(self) -> bool:
        """Whether nothing of it is left, connection and threads."""
        return self.ended.done() and not any(thread.is_alive() for thread in self._threads)

    @property
    def handle(self) -> TransportHandle:
        """The open connection; there before the news that it is open is told."""
        handle = self._handle
        if handle is None:
            raise ConnectError("the attempt has no connection yet")
        return handle

    # ---- from outside -------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._spawn(self._run, f"phoenix-connect-{self.generation}")

    def close(self, code: int, reason: str) -> None:
        """Write what waits, then close; on a thread of its own, for a peer may be slow to take."""

        def run() -> None:
            self._wire.outbox.wait_below(1, _FLUSH_TIMEOUT)
            handle = self._handle
            # The peer's answer stands behind whatever was not read yet.
            self._reader.release()
            if handle is not None:
                handle.close(code, reason)

        self._spawn(run, f"phoenix-closer-{self.generation}")

    def abort(self) -> None:
        """Drop the connection, or the attempt wherever it is, at once. Never waits."""
        with self._lock:
            self._aborted = True
            handle, opening = self._handle, self._opening
        self._reader.release()
        if handle is not None:
            handle.abort()
        elif not opening:
            self.ended.settle(None)

    def wait_ended(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until the connection is closed; tell whether it is.

        On a thread of its own it waits for nothing.
        """
        if threading.current_thread() in self._threads:
            return self.ended.done()
        try:
            self.ended.get(timeout=timeout)
        except CallTimeout:
            return False
        return True

    def join(self, deadline: float) -> bool:
        """Wait until `deadline` on `time.monotonic` for its threads; tell whether it is gone."""
        self.wait_ended(max(0.0, deadline - time.monotonic()))
        joined = getattr(self._handle, "join", None)
        if joined is not None:
            joined(max(0.0, deadline - time.monotonic()))
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        return self.gone

    def keep(self, thread: threading.Thread | None) -> None:
        """Wait for this thread too in `join`."""
        if thread is not None:
            self._threads.append(thread)

    # ---- on its own thread --------------------------------------------------------------------

    def _spawn(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        try:
            handle, read = self._open()
        except PhoenixError as error:
            self._fail(error)
        except BaseException as error:  # noqa: BLE001  a user's function may raise anything
            failure = ConnectError(f"the transport raised {type(error).__name__}")
            failure.__cause__ = error
            self._fail(failure)
        else:
            self._announce(handle)
            self._arrived("handle")
            if read is not None:
                # This thread is the reader thread from now on.
                read()

    def _open(self) -> tuple[TransportHandle, Callable[[], None] | None]:
        """Open the connection; return what the reader thread does, if there is none yet."""
        transport = self._wire.session.transport
        url, options = self._ask_options()
        for former in self._before:
            former.wait_ended(_PATIENCE)
        self._before = []
        self._begin_opening()
        # Of its very class: one that derives from it has an `open` of its own.
        open_here = type(transport).__dict__.get("open_here")
        if open_here is not None:
            return open_here(transport, url, options, self._reader)  # type: ignore[no-any-return]
        return transport.open(url, options, self._reader), None

    def _ask_options(self) -> tuple[str, TransportOptions]:
        """Evaluate what may be functions of the user's; one that blocks fails the attempt (C9)."""
        options = self._wire.session.options
        if any(former._asking for former in self._before):
            # One thread that hangs in a function of the user's is enough.
            raise ConnectError("params or headers of an earlier attempt did not return yet")
        timer = self._limit_asking(options.transport_opts.connect_timeout)
        self._asking = True
        try:
            url = options.connect_url()
            chosen = options.connect_options(self._announce)
        finally:
            self._asking = False
            if timer is not None:
                timer.cancel()
        return url, chosen

    def _limit_asking(self, timeout: float | None) -> Timer | None:
        options = self._wire.session.options
        asked = (
            callable(options.params) or callable(options.headers) or callable(options.auth_token)
        )
        if timeout is None or not asked:
            return None
        error = ConnectTimeout(timeout, url=self._wire.session.options.shown_url())

        def too_late() -> None:
            self.abort()
            self._tell(ConnectFailed(self.generation, error))

        return timers.after(timeout, too_late)

    def _begin_opening(self) -> None:
        with self._lock:
            if self._aborted:
                raise ConnectError("the attempt was aborted")
            self._opening = True

    def _fail(self, error: PhoenixError) -> None:
        self.ended.settle(None)
        self._tell(ConnectFailed(self.generation, error))

    def _announce(self, handle: TransportHandle) -> None:
        """Make the handle abortable, by the actor and by the actor's end."""
        with self._lock:
            self._handle = handle
            aborted = self._aborted
        if aborted:
            handle.abort()

    def _connected(self) -> None:
        self._arrived("connected")

    def _arrived(self, what: str) -> None:
        with self._lock:
            if what in self._missing:
                self._missing.remove(what)
            complete = not self._missing
        if complete:
            heartbeat = getattr(self._handle, "needs_heartbeat", True)
            mine = threading.current_thread() in self._threads
            (self._tell_here if mine else self._tell)(
                TransportConnected(self.generation, heartbeat)
            )

    def _closed(self, code: int | None, reason: str, clean: bool) -> None:
        self.ending = (code, reason, clean)
        self.ended.settle(None)
        self._tell(TransportClosed(self.generation, code, reason, clean))
