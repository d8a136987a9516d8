"""A gate in front of a server: it counts the connections that are open at one moment.

One thread looks after everything, and looks at ends before it looks at new connections. So if a
client ends one connection before it opens the next, the gate never counts two.
"""

from __future__ import annotations

import selectors
import socket
import threading
from typing import Final, Self
from urllib.parse import urlsplit

__all__ = ["Gate"]

READ: Final = selectors.EVENT_READ


class Gate:
    """Passes bytes between clients and the server of a URL, in a `with` block.

    Attributes:
        url: where clients connect to.
        most: the highest number of client connections at one moment.
        total: how many there were.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listening.getsockname()[1]}{parts.path}"
        self.most = self.total = 0
        self._open: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="gate")

    def __enter__(self) -> Self:
        self._selector.register(self._listening, READ)
        self._selector.register(self._woken, READ)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join()
        for sock in (*self._open, self._listening, self._wake, self._woken):
            sock.close()
        self._selector.close()

    def _run(self) -> None:
        while True:
            ready = [key.fileobj for key, _ in self._selector.select()]
            if self._woken in ready:
                return
            for sock in ready:
                if isinstance(sock, socket.socket) and sock in self._open:
                    self._pass_on(sock)
            if self._listening in ready:
                self._accept()

    def _accept(self) -> None:
        client, _ = self._listening.accept()
        server = socket.create_connection(self._target)
        for sock, other in ((client, server), (server, client)):
            self._open[sock] = other
            self._selector.register(sock, READ)
        self._clients.add(client)
        self.total += 1
        self.most = max(self.most, len(self._clients))

    def _pass_on(self, sock: socket.socket) -> None:
        """Passes on all there is: an end behind data counts before the next beginning."""
        other = self._open[sock]
        try:
            while data := sock.recv(65536, socket.MSG_DONTWAIT):
                other.sendall(data)
        except BlockingIOError:
            return
        except OSError:
            pass
        for end in (sock, other):
            self._clients.discard(end)
            if self._open.pop(end, None) is not None:
                self._selector.unregister(end)
                end.close()
