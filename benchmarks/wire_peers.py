"""What the client is compared with on the wire: a bare socket, websocket-client, phoenix.js."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import statistics
import subprocess
from pathlib import Path
from typing import Any

import pykka
import websocket
from clocks import CPU, now
from harness import Way
from replay import frame, message

__all__ = [
    "PATH",
    "other",
    "phoenix_js",
    "raw",
    "raw_alone",
    "raw_connect",
    "raw_flight",
    "wsc",
    "wsc_actors",
    "wsc_alone",
]

PATH = "/socket/websocket?vsn=2.0.0"
_PEER = Path(__file__).with_name("peer.mjs")
_MODULES = _PEER.parent.parent / "tests" / "conformance" / "js" / "node_modules"


def phoenix_js(port: int, row: str, size: int = 60, topics: int = 1) -> list[Way]:
    """Return the official client's way of a row of `peer.mjs`, or none without Node and it."""
    node = shutil.which("node")
    if node is None or not (_MODULES / "phoenix").is_dir():
        return []

    def run(count: int) -> float:
        numbers = map(str, (count, size, topics, "cpu" if CPU else "wall"))
        command = [node, str(_PEER), str(port), row, *numbers]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return float(done.stdout)

    return [Way("phoenix.js", run, measures=True)]


def other(port: int, row: str, size: int = 60) -> list[Way]:
    """Return the way of the program in BENCH_PEER, `NAME=COMMAND`, or none.

    It is called as `peer.mjs` is, with port, row, count, size and topics, and prints one number.
    """
    name, given, command = os.environ.get("BENCH_PEER", "").partition("=")
    if not given or CPU:
        return []

    def run(count: int) -> float:
        words = [*shlex.split(command), *map(str, (port, row, count, size, 1))]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
        return float(done.stdout)

    return [Way(name, run, measures=True)]


def _flood(count: int, size: int, topics: int) -> str:
    return json.dumps(
        ["1", "2", "room:0", "flood", {"frames": count, "topics": topics, "size": size}]
    )


def _opened(port: int, topics: int) -> websocket.WebSocket:
    """Return a connection of websocket-client that has joined so many topics."""
    ws = websocket.create_connection(f"ws://127.0.0.1:{port}{PATH}")
    for number in range(topics):
        ws.send(json.dumps(["1", "1", f"room:{number}", "phx_join", {}]))
        ws.recv()
    return ws


def wsc(port: int, size: int, topics: int) -> Way:
    """Plain websocket-client and json: a loop that looks a handler up and calls it."""

    def run(count: int) -> float:
        ws = _opened(port, topics)
        seen = 0

        def handle(_event: str, _payload: Any) -> None:
            nonlocal seen
            seen += 1

        handlers = {f"room:{number}": handle for number in range(topics)}
        ws.send(_flood(count, size, topics))
        ws.recv()
        began = now()
        while seen < count:
            _, _, topic, event, payload = json.loads(ws.recv())
            handlers[topic](event, payload)
        took = now() - began
        ws.close()
        return took / count

    return Way("websocket-client + json", run, measures=True)


class _Handler(pykka.ThreadingActor):
    """A channel's handler as one would write it on Pykka alone."""

    def __init__(self, count: int, done: Any) -> None:
        super().__init__()
        self.left = count
        self.done = done

    def on_receive(self, message: Any) -> None:
        """Count."""
        self.left -= 1
        if self.left == 0:
            self.done.set()


def wsc_actors(port: int, size: int) -> Way:
    """websocket-client, whose reader tells each message to a Pykka actor with a thread."""

    def run(count: int) -> float:
        ws = _opened(port, 1)
        done = pykka.ThreadingFuture()
        actor = _Handler.start(count, done)
        ws.send(_flood(count, size, 1))
        ws.recv()
        began = now()
        for _ in range(count):
            _, _, _, event, payload = json.loads(ws.recv())
            actor.tell((event, payload))
        done.get(timeout=120)
        took = now() - began
        actor.stop()
        ws.close()
        return took / count

    return Way("the same, Pykka actor", run, measures=True)


def wsc_alone(port: int) -> Way:
    """One round trip after the other, by websocket-client in one thread."""

    def run(count: int) -> float:
        ws = _opened(port, 1)
        samples = []
        for number in range(count):
            began = now()
            ws.send(json.dumps(["1", str(number + 2), "room:0", "echo", {"body": "hello"}]))
            json.loads(ws.recv())
            samples.append(now() - began)
        ws.close()
        return statistics.median(samples)

    return Way("websocket-client + json", run, measures=True)


class _Raw:
    """A bare blocking socket that knows what will come."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = (
            f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        )
        self.sock.sendall(request.encode())
        while b"\r\n\r\n" not in self.sock.recv(4096):
            pass

    def send(self, text: str) -> None:
        """Send a short text, masked with zeros."""
        data = text.encode()
        head = b"\x81" + (
            bytes((0x80 | len(data),))
            if len(data) < 126
            else b"\xfe" + len(data).to_bytes(2, "big")
        )
        self.sock.sendall(head + b"\0\0\0\0" + data)

    def ask(self, text: str) -> None:
        """Send and read one answer."""
        self.send(text)
        self.sock.recv(4096)


def raw(port: int, size: int) -> Way:
    """Read the bytes of the messages, and nothing else."""

    def run(count: int) -> float:
        peer = _Raw(port)
        peer.ask('["1","1","room:0","phx_join",{}]')
        expected = len(frame(message("room:0", size))) * count
        peer.send(_flood(count, size, 1))
        go = len(frame(b'[null,null,"room:0","go",{}]'))
        got = len(peer.sock.recv(go))
        began = now()
        while got < expected:
            got += len(peer.sock.recv(1 << 16))
        took = now() - began
        peer.sock.close()
        return took / count

    return Way("raw socket, bytes alone", run, measures=True)


def raw_alone(port: int) -> Way:
    """One round trip after the other, without reading what it says."""

    def run(count: int) -> float:
        peer = _Raw(port)
        peer.ask('["1","1","room:0","phx_join",{}]')
        samples = []
        for _ in range(count):
            began = now()
            peer.ask('["1","2","room:0","echo",{"body":"hello"}]')
            samples.append(now() - began)
        peer.sock.close()
        return statistics.median(samples)

    return Way("raw socket", run, measures=True)


def raw_flight(port: int) -> Way:
    """A hundred pushes in flight, written one by one; the replies are counted by their bytes."""

    def run(count: int) -> float:
        peer = _Raw(port)
        peer.ask('["1","1","room:0","phx_join",{}]')
        push = '["1","%04d","room:0","echo",{"body":"hello"}]'
        reply = len(frame(b'["1","0000","room:0","phx_reply",{"status":"ok","response":{}}]'))
        got = 0
        began = now()
        for number in range(count):
            while number - got // reply >= 100:
                got += len(peer.sock.recv(1 << 16))
            peer.send(push % (number % 10_000))
        while got < reply * count:
            got += len(peer.sock.recv(1 << 16))
        took = now() - began
        peer.sock.close()
        return took / count

    return Way("raw socket", run, measures=True)


def raw_connect(port: int) -> Way:
    """Connect, upgrade, join."""

    def run(count: int) -> float:
        samples = []
        for _ in range(count):
            began = now()
            peer = _Raw(port)
            peer.ask('["1","1","room:0","phx_join",{}]')
            samples.append(now() - began)
            peer.sock.close()
        return statistics.median(samples)

    return Way("raw socket", run, measures=True)
