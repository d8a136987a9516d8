"""The other side of `serve()`: a connection to a process that can be looked at."""

from __future__ import annotations

import os
import socket
from typing import NoReturn, Self

from supervisors.observer import frames
from supervisors.observer.facts import (
    ActorDetail,
    ActorRequest,
    Answer,
    Deed,
    Done,
    Look,
    LookRequest,
    Order,
    Refusal,
    Request,
    Sort,
)

__all__ = ["Connection", "RefusedError"]


class RefusedError(RuntimeError):
    """The observed process does not do what was asked; the text says why."""


class Connection:
    """A connection to a process that has called `serve(path)`. Of one thread at a time.

    Args:
        path: of the socket.
        timeout: seconds for each answer.

    Raises:
        OSError: nobody serves there.

    Example:
        >>> import tempfile
        >>> from supervisors import observer
        >>> with tempfile.TemporaryDirectory() as folder, observer.serve(f"{folder}/o") as served:
        ...     with Connection(served.path) as connection:
        ...         connection.look().process.pid == os.getpid()
        True
    """

    def __init__(self, path: str | os.PathLike[str], timeout: float = 5.0) -> None:
        """Connect."""
        if not hasattr(socket, "AF_UNIX"):
            msg = "Python has no Unix sockets on this system"
            raise OSError(msg)
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(os.fspath(path))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def look(self, sort: Sort | str = Sort.MAILBOX, rows: int = 100, after: int = 0) -> Look:
        """Return everything: the first `rows` actors, and the log after entry number `after`.

        Raises:
            RefusedError: it said no.
            OSError, TimeoutError: it is gone, or does not answer.
        """
        answer = self._ask(LookRequest(Sort(sort), rows, after))
        return answer if isinstance(answer, Look) else _wrong(answer)

    def actor(self, urn: str) -> ActorDetail:
        """Return all about one actor.

        Raises:
            RefusedError: it has ended.
            OSError, TimeoutError: the process is gone, or does not answer.
        """
        answer = self._ask(ActorRequest(urn))
        return answer if isinstance(answer, ActorDetail) else _wrong(answer)

    def order(self, urn: str, deed: Deed | str) -> None:
        """Suspend, resume or stop an actor.

        Raises:
            RefusedError: the application does not allow control, or the actor has ended.
            OSError, TimeoutError: the process is gone, or does not answer.
        """
        answer = self._ask(Order(urn, Deed(deed)))
        if not isinstance(answer, Done):
            _wrong(answer)

    def _ask(self, request: Request) -> Answer:
        try:
            frames.send(self._socket, request)
            data = frames.receive(self._socket, frames.LONGEST_ANSWER, self._timeout)
            if data is None:
                msg = "the observed process has closed the connection"
                raise ConnectionError(msg)
            answer = frames.decode_answer(data)
        except ValueError as error:
            msg = f"the observed process speaks another version of this protocol ({error})"
            raise ConnectionError(msg) from None
        if isinstance(answer, Refusal):
            raise RefusedError(answer.problem)
        return answer


def _wrong(answer: Answer) -> NoReturn:
    msg = f"the observed process answered with a {type(answer).__name__}"
    raise ConnectionError(msg)
