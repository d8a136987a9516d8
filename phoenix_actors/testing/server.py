"""`PhoenixServer`: the loopback server in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from phoenix_actors.testing.channel_process import Ending
from phoenix_actors.testing.endpoint_thread import EndpointThread
from phoenix_actors.testing.http_messages import HttpResponse
from phoenix_actors.testing.options import ServerOptions, seconds
from phoenix_actors.testing.override import override
from phoenix_actors.testing.phoenix_socket import check_routes
from phoenix_actors.testing.recorder import Handshake, RecordedFrame, Recorder
from phoenix_actors.testing.reference import REFERENCE_CHANNELS
from phoenix_actors.testing.script import ReceivedPush, Rule, Script, fitting, wait_for
from supervisors import ANY
from supervisors._locks import new_rlock

if TYPE_CHECKING:
    from datetime import timedelta

    from phoenix_actors.testing.channel import ServerChannel
    from phoenix_actors.testing.endpoint import Endpoint

__all__ = ["PhoenixServer"]

T = TypeVar("T")


class PhoenixServer:
    """A Phoenix server on loopback, with channels in Python and faults on demand.

    It speaks vsn 1.0.0 and 2.0.0, text and binary, and answers as Phoenix 1.8 on Bandit does; the
    channels are those of the reference application unless `channels` maps topic patterns to
    subclasses of `ServerChannel`. Use it in tests of clients; `python -m phoenix_actors serve` runs
    it as a program.

    With `auth_token=True` it takes the token that clients offer as a subprotocol, or over long poll
    in a header, as a socket of Phoenix with that option does, and a channel finds it in
    `self.socket.auth_token`.

    Long poll is at `/socket/longpoll`. A poll waits `longpoll_window` seconds for messages, and a
    session that is not polled for 1.5 of them ends. Long poll has no close frames: where a fault
    closes or ends connections, a session is gone without a word, and its client is told 410 when
    it asks again.

    Durations are seconds, sizes bytes. Every method may be called from any thread; one asyncio loop
    in a thread of its own does the work. Faults act on the connections present at the call, unless
    they say otherwise.

    Raises:
        ValueError: when an option is out of range.

    Example:
        >>> import urllib.request
        >>> with PhoenixServer() as server:
        ...     with urllib.request.urlopen(server.http_url + "/control/stats") as answer:
        ...         print(answer.status, server.stats()["transports"])
        200 0
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        idle_timeout: float | timedelta | None = 60.0,
        compress: bool = True,
        max_frame_size: int = 10_000_000,
        max_channels: int = 1_000_000,
        drain_timeout: float | timedelta = 2.0,
        auth_token: bool = False,
        longpoll_window: float | timedelta = 10.0,
        channels: Mapping[str, type[ServerChannel]] = REFERENCE_CHANNELS,
    ) -> None:
        self._options = ServerOptions(
            host=host,
            port=port,
            idle_timeout=idle_timeout,
            compress=compress,
            max_frame_size=max_frame_size,
            max_channels=max_channels,
            drain_timeout=drain_timeout,
            auth_token=auth_token,
            longpoll_window=longpoll_window,
        )
        check_routes(channels)
        self._channels = dict(channels)
        self._recorder = Recorder()
        self._script = Script()
        self._port = port
        self._thread: EndpointThread | None = None
        # Guards start and stop against one another.
        self._lock = new_rlock()

    @override
    def __repr__(self) -> str:
        state = "running" if self._thread is not None else "stopped"
        return f"<PhoenixServer {self._options.host}:{self._port} {state}>"

    # -- life

    def start(self) -> Self:
        """Listens and returns once connections are accepted.

        Raises:
            OSError: when the address cannot be listened on.
            RuntimeError: when the server runs already.
        """
        with self._lock:
            if self._thread is not None:
                raise RuntimeError("the server runs already: stop() it first, or use restart()")
            thread = EndpointThread(self._options, self._channels, self._recorder, self._script)
            self._port = thread.start(self._port)
            self._thread = thread
            return self

    def stop(self) -> None:
        """Closes every connection with 1012 and ends the thread; stopping twice is harmless.

        Waits up to `drain_timeout` seconds for clients to close their end.

        Raises:
            RuntimeError: when a channel's handler keeps the loop busy for 10 s beyond that.
        """
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is not None:
                thread.stop()

    def restart(self) -> None:
        """Stops, and starts on the same port; what channels recorded is forgotten."""
        with self._lock:
            self.stop()
            self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port; known from the first start on, and kept after a stop."""
        if not self._port:
            raise RuntimeError("the port is known once the server was started: call start() first")
        return self._port

    @property
    def url(self) -> str:
        """Where clients connect to: `ws://127.0.0.1:PORT/socket/websocket`."""
        return f"ws://{self._authority}/socket/websocket"

    @property
    def http_url(self) -> str:
        """Where the control routes are: `http://127.0.0.1:PORT`."""
        return f"http://{self._authority}"

    @property
    def _authority(self) -> str:
        host = self._options.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    # -- what the control routes do

    def stats(self) -> dict[str, Any]:
        """Returns the counts of `GET /control/stats`: transports, channels, by_topic, ids, …."""
        return self._call(lambda endpoint: endpoint.stats())

    def kill_sockets(self) -> int:
        """Ends every TCP stream without a close frame, and its channels; returns how many."""
        return self._call(lambda endpoint: endpoint.kill_sockets())

    def kill_channels(self, topic: str | None = None) -> int:
        """Kills the channels of a topic, or all; clients get phx_error. Returns how many."""
        return self._call(lambda endpoint: endpoint.kill_channels(topic))

    def close_channels(self, topic: str | None = None) -> int:
        """Ends the channels of a topic, or all, as `{:stop, :normal, …}`: clients get phx_close."""
        return self._call(lambda endpoint: endpoint.kill_channels(topic, Ending.CLOSED))

    def freeze(self, duration: float | timedelta) -> int:
        """Suspends every present connection for `duration` seconds; returns how many."""
        length = seconds(duration, "duration")
        return self._call(lambda endpoint: endpoint.freeze(length))

    def broadcast(self, topic: str, event: str, payload: Any) -> None:
        """Broadcasts to the clients that joined a topic.

        Raises:
            ValueError: when the payload is neither a JSON object nor bytes.
        """
        self._call(lambda endpoint: endpoint.broadcast(topic, event, payload))

    def disconnect(self, user_id: str) -> None:
        """Closes every socket that connected with that `user_id`, with 1001."""
        self._call(lambda endpoint: endpoint.disconnect(user_id))

    def dump(self, topic: str) -> list[Any]:
        """Returns the payloads that `seq` and `seq_noreply` recorded for a topic, oldest first."""
        return self._call(lambda endpoint: endpoint.dump(topic))

    def reset(self) -> None:
        """Forgets what was recorded for all topics."""
        self._call(lambda endpoint: endpoint.reset())

    # -- the server's part in a test

    def accept_join(
        self,
        topic: str,
        response: Any = None,
        *,
        replies: Mapping[str, Any] | None = None,
        times: int | None = None,
    ) -> None:
        """Lets clients into a topic from now on, whatever `channels` says about it.

        Args:
            topic: a topic, or a prefix and `*`. What is said last counts first.
            response: the answer to the join: a JSON value, or a function of the join's params;
                None is `{}`.
            replies: answers by event: a JSON value (replied with status ok), a `Reply`, a `Stop`,
                None for no reply, or a function of the payload that returns one of these. It runs
                on the server's loop and must not block. Pushes of other events get no reply until
                `assert_push(...).reply(...)`.
            times: how many joins this is for; None is for ever.

        Raises:
            ValueError: when the topic has a `*` elsewhere, or `times` is less than 1.

        Example:
            >>> server = PhoenixServer()
            >>> server.accept_join("chat:*", {"you": "alice"}, replies={"ping": {"pong": True}})
        """
        self._script.add(Rule(topic, response, accepts=True, replies=replies, times=times))

    def reject_join(self, topic: str, response: Any = None, *, times: int | None = None) -> None:
        """Refuses joins of a topic from now on; takes what `accept_join` takes.

        Those who have joined stay. None as response is `{"reason": "unauthorized"}`.
        """
        refusal = {"reason": "unauthorized"} if response is None else response
        self._script.add(Rule(topic, refusal, accepts=False, times=times))

    def assert_join(
        self, topic: str, params: Any = ANY, timeout: float | None = 5.0
    ) -> ReceivedPush:
        """Waits for a client's join of a topic, as `assert_push` does; its payload are the params.

        The join has been answered by then: accepted, so that broadcasts arrive, or refused.
        """
        __tracebackhide__ = True
        return self._wait_for((topic, "phx_join", params), timeout, "no join")

    def assert_leave(self, topic: str, timeout: float | None = 5.0) -> None:
        """Waits until a client leaves a topic, as `assert_push` does."""
        __tracebackhide__ = True
        self._wait_for((topic, "phx_leave", ANY), timeout, "no leave")

    def assert_push(
        self, topic: str, event: str, payload: Any = ANY, timeout: float | None = 5.0
    ) -> ReceivedPush:
        """Waits for a push from a client, takes it, and returns it.

        Args:
            topic: the topic.
            event: the event, or a pattern of it.
            payload: a value in which `ANY` and classes may stand for parts, or a predicate; a dict
                fits one that has at least its keys.
            timeout: seconds in all; None waits for ever.

        Raises:
            AssertionError: none came in time; it says what came instead, payloads included.
        """
        __tracebackhide__ = True
        return self._wait_for((topic, event, payload), timeout, f"no push of {event!r}")

    def refute_push(
        self, topic: str, event: Any = ANY, payload: Any = ANY, timeout: float | None = 0.1
    ) -> None:
        """Makes sure that no such push has come that nobody has taken, nor comes within `timeout`.

        Raises:
            AssertionError: there is one; it stays.
        """
        __tracebackhide__ = True
        unclaimed = self._recorder.unclaimed
        there, push = unclaimed.find(fitting((topic, event, payload)), timeout, take=False)
        if there:
            frame = push.frame
            raise AssertionError(f"there came {frame.event!r} on {topic!r}: {frame.payload!r}")

    def _wait_for(
        self, wanted: tuple[Any, Any, Any], timeout: float | None, what: str
    ) -> ReceivedPush:
        __tracebackhide__ = True
        push = wait_for(self._recorder.unclaimed, wanted, timeout, what)
        return ReceivedPush(
            push, lambda status, response: self._call(lambda e: e.answer(push, status, response))
        )

    def drop(self) -> int:
        """Drops every connection as a cut cable does; the same as `kill_sockets()`."""
        return self.kill_sockets()

    # -- further faults

    def refuse_connections(
        self,
        status: int,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
        body: bytes = b"",
    ) -> None:
        """Answers every upgrade, and every poll that asks for a session, with that HTTP status.

        Until `accept_connections()`.

        Raises:
            ValueError: when `status` is no final HTTP status, or a header has a line break.
        """
        if not 200 <= status <= 599:
            raise ValueError(f"status must be from 200 to 599, not {status!r}")
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers or [])
        if any(mark in text for pair in pairs for text in pair for mark in "\r\n"):
            raise ValueError("a header must not hold a line break")
        response = HttpResponse(status, body, pairs)
        self._call(lambda endpoint: endpoint.refuse_connections(response))

    def accept_connections(self) -> None:
        """Accepts connections again."""
        self._call(lambda endpoint: endpoint.accept_connections())

    def stall(self) -> None:
        """Suspends every connection, leaves upgrades, polls and posts unanswered, until `resume()`.

        Control routes go on.
        """
        self._call(lambda endpoint: endpoint.stall())

    def resume(self) -> None:
        """Ends a stall: what was kept is sent, what waits is read."""
        self._call(lambda endpoint: endpoint.resume())

    def close_sockets(self, code: int) -> int:
        """Closes every connection with a close code; returns how many.

        Raises:
            ValueError: when a server may not send that code.
        """
        if code not in {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}:
            raise ValueError(f"a close frame cannot have the code {code!r}")
        return self._call(lambda endpoint: endpoint.close_sockets(code))

    def send_raw(self, data: str | bytes) -> int:
        """Sends a message as it is, garbage too, to every connection; returns how many."""
        return self._call(lambda endpoint: endpoint.send_raw(data))

    # -- what clients did; these answer after a stop as well

    @property
    def connections_total(self) -> int:
        """How many upgrades and sessions were ever accepted, restarts included."""
        return self._recorder.accepted

    def connect_params(self) -> list[Handshake]:
        """Returns params and headers of the newest 10,000 accepted connections, oldest first."""
        return [shake for shake in self.handshakes() if shake.connection is not None]

    def handshakes(self) -> list[Handshake]:
        """Returns the newest 10,000 connections asked for, refused ones included, oldest first."""
        return self._recorder.handshakes()

    def frames(self) -> list[RecordedFrame]:
        """Returns the newest 10,000 frames as (connection number, frame), oldest first."""
        return self._recorder.frames()

    def clear_records(self) -> None:
        """Forgets frames and handshakes; `connections_total` goes on."""
        self._recorder.clear()

    def _call(self, function: Callable[[Endpoint], T]) -> T:
        thread = self._thread
        if thread is None:
            raise RuntimeError("the server is not running: call start() first")
        return thread.call(function)
