"""`serve()`: a Unix socket through which this process can be looked at."""

from __future__ import annotations

import atexit
import os
import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec

from supervisors._locks import new_lock
from supervisors.errors import NotAvailableError
from supervisors.observer import frames
from supervisors.observer.facts import Refusal
from supervisors.observer.service import Service

__all__ = ["Observer", "serve"]

_MOST_CONNECTIONS: Final = 8
# Seconds: until a connection that asks nothing is closed, for the rest of a frame, and at the end.
_IDLE: Final = 60.0
_FRAME: Final = 5.0
_JOINING: Final = 5.0
_PROBE: Final = 1.0


def serve(
    path: str | os.PathLike[str],
    *,
    show_state: bool = False,
    control: bool = False,
    count_messages: bool = False,
) -> Observer:
    """Let this process be looked at through a Unix socket, until `close()` or its end.

    `python -m supervisors top PATH` looks. The file can be opened by this user only (mode 0600);
    whoever can open it sees the tree, the names of classes and exceptions, the stacks of busy
    actors, the event log and the tables of `add_section`, but no message and no state.

    Args:
        path: of the socket, 100 bytes at most on most systems. A file that an ended process left
            there is replaced.
        show_state: show the attributes of actors, shortened, too: also what is secret in them,
            unless their `format_status` leaves it out.
        control: also suspend, resume and stop actors when asked.
        count_messages: count messages in every actor, which costs each message some microseconds.

    Returns:
        what is to be closed; also a context manager. Call from any thread.

    Raises:
        NotAvailableError: the system has no Unix sockets in Python (Windows).
        FileExistsError: the path is of another kind of file, or a living process serves there.
        OSError: the path is too long, or its folder is missing or not writable.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, serve(f"{folder}/observer") as observer:
        ...     os.stat(observer.path).st_mode & 0o777 == 0o600
        True
    """
    return Observer(
        path, Service(show_state=show_state, control=control, count_messages=count_messages)
    )


class Observer:
    """The open socket, made by `serve()`. Safe from any thread. It closes at exit."""

    def __init__(self, path: str | os.PathLike[str], service: Service) -> None:
        """Open the socket and begin to answer."""
        self.path = os.fspath(path)
        self._service = service
        self._pid = os.getpid()
        self._lock = new_lock()
        self._closed = False
        self._connections: dict[socket.socket, threading.Thread] = {}
        try:
            self._listener = _listen(self.path)
        except BaseException:
            service.close()
            raise
        self._identity = _identity(self.path)
        self._thread = threading.Thread(target=self._accept, name="observer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def __repr__(self) -> str:
        """Tell where it is."""
        return f"<Observer at {self.path}{', closed' if self._closed else ''}>"

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the socket and all connections, remove the file, end the threads.

        Closing twice is as once. In a child made by fork only its copies are closed.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            connections = dict(self._connections)
        if os.getpid() != self._pid:
            for one in (self._listener, *connections):
                one.close()
            return
        atexit.unregister(self.close)
        # Who is served in the meantime by another process has a file of its own there.
        if _identity(self.path) == self._identity:
            with suppress(OSError):
                Path(self.path).unlink()
        _shut(self._listener)
        for connection in connections:
            _shut(connection)
        here = threading.current_thread()
        for thread in (self._thread, *connections.values()):
            if thread is not here:
                thread.join(_JOINING)
        self._listener.close()
        self._service.close()

    # ---- the threads --------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if self._closed:
                    return
                # Too many open files, say: whoever waits is served when there is room again.
                threading.Event().wait(0.2)
                continue
            connection.settimeout(_IDLE)
            thread = threading.Thread(
                target=self._converse, args=(connection,), name="observer-connection", daemon=True
            )
            with self._lock:
                if not self._closed and len(self._connections) < _MOST_CONNECTIONS:
                    self._connections[connection] = thread
                    try:
                        thread.start()
                        continue
                    except RuntimeError:
                        # The system has no thread left; the next visitor may find one.
                        del self._connections[connection]
            _refuse(connection, f"{_MOST_CONNECTIONS} look already: close one of them")
            connection.close()

    def _converse(self, connection: socket.socket) -> None:
        try:
            while self._serve_one(connection):
                pass
        except OSError:
            # It went away, or is too slow.
            pass
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()

    def _serve_one(self, connection: socket.socket) -> bool:
        """Answer one request; False when there comes none any more.

        Raises:
            OSError: the connection is lost, or the other side too slow.
        """
        try:
            data = frames.receive(connection, frames.LONGEST_REQUEST, _FRAME)
            if data is None:
                return False
            request = frames.decode_request(data)
        except ValueError as error:
            # msgspec's are ValueErrors. What follows cannot be told from garbage.
            known = isinstance(error, msgspec.MsgspecError) or "frame" in str(error)
            _refuse(connection, f"not a request: {error if known else type(error).__name__}")
            return False
        try:
            answer = self._service.handle(request)
        except Exception as error:  # noqa: BLE001  a fault of the observer must not end it
            answer = Refusal(f"the observer failed: {type(error).__name__}")
        frames.send(connection, answer)
        return True


def _refuse(connection: socket.socket, problem: str) -> None:
    with suppress(OSError):
        frames.send(connection, Refusal(problem))


def _shut(one: socket.socket) -> None:
    """Wake whoever waits in accept() or recv()."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _listen(path: str) -> socket.socket:
    """Return a listening socket whose file only this user can open.

    Raises:
        NotAvailableError: there are no Unix sockets.
        FileExistsError: something is there that is no socket, or is served.
        OSError: it cannot be made.
    """
    if not hasattr(socket, "AF_UNIX"):
        msg = "observer.serve() needs Unix sockets, which Python has not here: take serve_http()"
        raise NotAvailableError(msg)
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        # Nobody can connect before listen(), so the mode holds from the first moment on.
        Path(path).chmod(0o600)
        listener.listen(_MOST_CONNECTIONS)
    except BaseException:
        listener.close()
        raise
    return listener


def _clear(path: str) -> None:
    """Remove the socket of a process that has ended.

    Raises:
        FileExistsError: it is none, or somebody listens.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        msg = f"{path} is there and no socket: take another path"
        raise FileExistsError(msg)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                Path(path).unlink()
            return
        except FileNotFoundError:
            return
        except OSError:
            pass
    msg = f"a living process serves at {path} already: take another path"
    raise FileExistsError(msg)
