"""Replays captured exchanges against a server and compares what it answers.

A capture is one or more connections in a row; its exchanges are lists of steps:

| step | does |
| --- | --- |
| `request`, `connect` | a new connection: the head of its request, or just a path |
| `response` | the HTTP response: status line, headers in their order, body |
| `send`, `send_binary` | a JSON value as text, bytes as hex |
| `send_frame`, `send_ping`, … | a bare frame |
| `expect`, `expect_binary` | a message: JSON compared as values, binary as bytes |
| `expect_pong`, `expect_close`, `expect_fin` | a pong, a close code, the end |
| `silence` | nothing comes: a heartbeat is answered, and then nothing for 0.1 s |
| `control`, `answer` | a control route and its JSON |
| `http`, `answer` | a request, `"GET /path"`, its `headers` and `body`; the JSON of its answer |
| `pause`, `signal`, `exit` | seconds to wait, a signal to the server's process, its exit code |

Messages of one topic must come in the order of the capture; one of another topic may come earlier
than there. In place of a value `{"$any": "string"}` takes any of that kind. `{"$same": "label"}`
takes the same one at each place, and different ones for different labels.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
import urllib.parse
import urllib.request
from collections import defaultdict, deque
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from tests.conformance.raw_client import DEADLINE, RawClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from tests.conformance.raw_client import Received

# Seconds within which the stream ends after a close frame; the server gives up on clients later.
PROMPT = 1.5
# Seconds of quiet that count as silence.
QUIET = 0.1
FENCE: list[Any] = [None, "fence", "phoenix", "heartbeat", {}]
FENCE_ANSWER: list[Any] = [None, "fence", "phoenix", "phx_reply", {"response": {}, "status": "ok"}]


class Mismatch(AssertionError):
    """The server did something else than the capture."""


class NothingCame(Mismatch):
    """The server did not answer at all; waiting for what would follow makes no sense."""


class Replay:
    """Runs the steps of one capture, in order."""

    def __init__(self, url: str, http_url: str, signal: Callable[[], int] | None = None) -> None:
        self._url = url
        self._http_url = http_url
        self._signal = signal
        self._exits: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._client: RawClient | None = None
        self._heard = time.monotonic()
        # What came and was not expected yet: messages by topic, other frames by kind.
        self._waiting: dict[str, deque[Received]] = defaultdict(deque)
        self._same: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def step(self, step: dict[str, Any]) -> None:
        """Does one step.

        Raises:
            Mismatch: when the server does something else.
        """
        name = next(iter(step))
        match name:
            case "request" | "connect":
                self._open(step)
            case "response":
                self._response(step["response"])
            case "control":
                self._control(step["control"], step["answer"])
            case "http":
                self._http(step)
            case "pause":
                time.sleep(step["pause"])
            case "signal":
                assert self._signal is not None
                threading.Thread(target=self._run_signal, args=(self._signal,)).start()
            case "exit":
                self._open_client.close()
                self._check(step["exit"], self._exits.get(timeout=DEADLINE), "exit code")
            case "silence":
                self._silence()
            case _ if name.startswith("send"):
                self._send(name, step[name])
            case _:
                self._expect(name, step)

    def finish(self) -> None:
        """Checks that nothing is left that no step expected."""
        if self._client is not None and not self._client.ended:
            self._silence(fence=False)
        left = [frame for frames in self._waiting.values() for frame in frames]
        if left:
            raise Mismatch(f"nobody expected {left[0]}")

    def _run_signal(self, signal: Callable[[], int]) -> None:
        self._exits.put(signal())

    # -- sending

    @property
    def _open_client(self) -> RawClient:
        assert self._client is not None, "the capture has no connection yet"
        return self._client

    def _open(self, step: dict[str, Any]) -> None:
        if self._client is not None:
            self.finish()
            self._client.close()
        if "connect" in step:
            self._client = RawClient.connected(self._url, step["connect"])
        else:
            self._client = RawClient(self._url)
            self._client.request(step["request"])
        self._heard = time.monotonic()

    def _send(self, name: str, value: Any) -> None:
        client = self._open_client
        self._heard = time.monotonic()
        match name:
            case "send":
                client.send("text", json.dumps(value, ensure_ascii=False).encode())
            case "send_binary" | "send_ping" | "send_pong":
                client.send(name.removeprefix("send_"), bytes.fromhex(value))
            case "send_close":
                data = b"" if value is None else value["code"].to_bytes(2, "big")
                # One that answers the server's may find that it has hung up.
                with contextlib.suppress(ConnectionError):
                    client.send("close", data + (value or {}).get("reason", "").encode())
            case "send_frame":
                data = bytes.fromhex(value["data"])
                rsv1 = value.get("rsv1", False)
                client.send(value["opcode"], data, fin=value["fin"], rsv1=rsv1)
            case "send_oversized":
                try:
                    client.send("text", bytes(value))
                except ConnectionError:
                    # The server may close before it has read all.
                    return
            case _:
                raise AssertionError(f"unknown step {name}")

    def _control(self, request: dict[str, Any], answer: Any) -> None:
        body = None if request["body"] is None else json.dumps(request["body"]).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        call = urllib.request.Request(  # noqa: S310  the server of this test
            self._http_url + request["path"], body, headers, method=request["method"]
        )
        with urllib.request.urlopen(call, timeout=DEADLINE) as response:  # noqa: S310
            self._check(answer, json.load(response), request["path"])

    def _http(self, step: dict[str, Any]) -> None:
        """Makes a request; `{label}` in it stands for what was taken for that label before."""
        method, path = step["http"].split(" ")
        for label, value in self._same.items():
            path = path.replace(f"{{{label}}}", urllib.parse.quote(str(value), safe=""))
        body = step["body"].encode() if "body" in step else None
        headers = step.get("headers", {})
        call = urllib.request.Request(self._http_url + path, body, headers, method=method)  # noqa: S310
        begun = time.monotonic()
        with urllib.request.urlopen(call, timeout=2 * DEADLINE) as response:  # noqa: S310
            self._check(step["kind"], response.headers["content-type"], "content-type")
            self._check(step["answer"], json.load(response), step["http"])
        if time.monotonic() - begun < step.get("not_before", 0.0):
            raise Mismatch(f"answered within {time.monotonic() - begun:.2f} s")

    # -- expecting

    def _expect(self, name: str, step: dict[str, Any]) -> None:
        expected = step[name]
        match name:
            case "expect":
                frame = self._next(_topic(expected), expected)
                self._check(("text", expected), (frame.kind, _json(frame.data)), "message")
                if step.get("deflated"):
                    self._check(True, frame.compressed, "compressed")
            case "expect_binary":
                data = bytes.fromhex(expected)
                frame = self._next(_binary_topic(data), data)
                self._check(("binary", data.hex(" ")), (frame.kind, frame.data.hex(" ")), "message")
            case "expect_pong":
                frame = self._next("<pong>", expected)
                self._check(bytes.fromhex(expected).hex(" "), frame.data.hex(" "), "pong")
            case "expect_close":
                frame = self._next("<close>", expected)
                data = expected.to_bytes(2, "big")
                self._check(data.hex(" "), frame.data.hex(" "), "close frame")
                after = time.monotonic() - self._heard
                if after < step.get("not_before", 0.0):
                    raise Mismatch(f"closed {after:.2f} s after the last word of the client")
            case "expect_fin":
                while self._read(PROMPT) is not None:
                    pass
                self._check(True, self._open_client.ended, "end of the stream")
                self.finish()
            case _:
                raise AssertionError(f"unknown step {name}")

    def _response(self, expected: dict[str, Any]) -> None:
        answer = self._open_client.response()
        self._check(expected["status_line"], answer.status_line, "status line")
        self._check(expected["headers"], [list(pair) for pair in answer.headers], "headers")
        self._check(expected["body"], answer.body.decode(), "body")

    def _silence(self, *, fence: bool = True) -> None:
        if fence:
            self._send("send", FENCE)
            self._expect("expect", {"expect": FENCE_ANSWER})
        self._read(QUIET)
        for frames in self._waiting.values():
            if frames:
                raise Mismatch(f"expected silence, not {frames.popleft()}")

    def _next(self, place: str, expected: object) -> Received:
        while not self._waiting[place]:
            if self._read() is None:
                others = [frame for frames in self._waiting.values() for frame in frames]
                how = "the stream ended" if self._open_client.ended else "nothing came"
                raise NothingCame(f"{how} instead of {expected!r}; waiting are {others}")
        return self._waiting[place].popleft()

    def _read(self, timeout: float = 10.0) -> Received | None:
        frame = self._open_client.receive(timeout)
        if frame is not None:
            self._waiting[_place(frame)].append(frame)
        return frame

    def _check(self, expected: Any, actual: Any, what: str) -> None:
        if not self._matches(expected, actual):
            raise Mismatch(f"{what}: expected {expected!r}, got {actual!r}")

    def _matches(self, expected: Any, actual: Any) -> bool:
        match expected:
            case {"$same": label, **rest}:
                if label not in self._same and actual not in self._same.values():
                    self._same[label] = actual
                fits = rest.get("$any") is None or self._matches(rest, actual)
                return fits and self._same.get(label, self) == actual
            case {"$any": kind}:
                return _KINDS[kind](actual)
            case dict():
                return (
                    isinstance(actual, dict)
                    and expected.keys() == actual.keys()
                    and all(self._matches(expected[key], actual[key]) for key in expected)
                )
            case list() | tuple():
                return (
                    isinstance(actual, list | tuple)
                    and len(expected) == len(actual)
                    and all(map(self._matches, expected, actual))
                )
            case _:
                return type(expected) is type(actual) and expected == actual


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and parsedate_to_datetime(value).tzinfo is not None
    except ValueError:
        return False


_KINDS: dict[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str) and value != "",
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "date": _is_date,
}


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise Mismatch(f"a text message that is no JSON: {data!r}") from None


def _place(frame: Received) -> str:
    match frame.kind:
        case "text":
            return _topic(_json(frame.data))
        case "binary":
            return _binary_topic(frame.data)
        case kind:
            return f"<{kind}>"


def _topic(value: Any) -> str:
    return str(value["topic"] if isinstance(value, dict) else value[2])


def _binary_topic(data: bytes) -> str:
    """Returns the topic of a binary message from the server: its place depends on the kind."""
    before = {0: 1, 1: 2, 2: 0}[data[0]]
    words = before + {0: 2, 1: 2, 2: 2}[data[0]]
    start = 1 + words + sum(data[1 : 1 + before])
    return data[start : start + data[1 + before]].decode()
