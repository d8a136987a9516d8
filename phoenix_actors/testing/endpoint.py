"""All connections of one server, how they are let in, and its faults. Only from its loop."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phoenix_actors.testing.auth_token import BadSubprotocols, read_subprotocols
from phoenix_actors.testing.channel import SocketInfo
from phoenix_actors.testing.channel_process import Ending
from phoenix_actors.testing.connection import Connection
from phoenix_actors.testing.framing import upgrade
from phoenix_actors.testing.http_messages import HttpResponse
from phoenix_actors.testing.hub import Hub
from phoenix_actors.testing.long_poll import AUTH_TOKEN_HEADER, LongPoll, status_answer
from phoenix_actors.testing.long_poll_session import LongPollSession
from phoenix_actors.testing.phoenix_socket import PhoenixSocket, matches_topic
from phoenix_actors.testing.query import decode_query
from phoenix_actors.testing.wire import serializer_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phoenix_actors.testing.channel import ServerChannel
    from phoenix_actors.testing.http_messages import HttpRequest
    from phoenix_actors.testing.options import ServerOptions
    from phoenix_actors.testing.phoenix_socket import SocketTransport
    from phoenix_actors.testing.recorder import RecordedFrame, Recorder
    from phoenix_actors.testing.script import Script
    from phoenix_actors.testing.wire import Serializer

__all__ = ["Endpoint"]

# With more channels than this the statistics leave the topics out.
MAX_TOPICS_LISTED = 50

RESTART = 1012


class Endpoint:
    """Accepts and refuses upgrades and sessions, knows the connections, and injects faults."""

    def __init__(
        self,
        options: ServerOptions,
        routes: Mapping[str, type[ServerChannel]],
        recorder: Recorder,
        script: Script,
    ) -> None:
        self.hub = Hub()
        self.long_poll = LongPoll(self._open_session, options.window_seconds)
        # Upgrades and the requests of long poll wait for it.
        self.unstalled = asyncio.Event()
        self.unstalled.set()
        self._options = options
        self._routes = routes
        self._recorder = recorder
        self._script = script
        self._connections: dict[int, Connection | LongPollSession] = {}
        self._refusal: HttpResponse | None = None
        self._stalled: list[Connection | LongPollSession] = []

    # -- upgrades

    async def serve(
        self, request: HttpRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answers an upgrade and serves the connection to its end; False when it was refused."""
        if reader.at_eof():
            # Gone while it waited for the end of a stall.
            return True
        try:
            params = decode_query(request.query)
        except ValueError as error:
            return self._refuse(request, {}, HttpResponse.text(400, str(error)), writer)
        serializer = serializer_for(params.get("vsn", "1.0.0"))
        if self._refusal is not None:
            return self._refuse(request, params, self._refusal, writer)
        if serializer is None or params.get("token") == "bad":
            return self._refuse(request, params, HttpResponse(403), writer)
        try:
            offered = read_subprotocols(request, auth_token=self._options.auth_token)
        except BadSubprotocols as error:
            return self._refuse(request, params, HttpResponse(error.status), writer)
        framing, response = upgrade(
            offered.request,
            compress=self._options.compress,
            max_frame_size=self._options.max_frame_size,
        )
        if response.status != 101:
            return self._refuse(request, params, response, writer)
        if offered.chosen is not None:
            response.headers.append(("sec-websocket-protocol", offered.chosen))
        number = self._recorder.accept(params, request.headers)
        writer.write(response.render_upgrade())
        connection = Connection(number, framing, (reader, writer), self._options.idle_seconds)
        self._connections[number] = connection
        socket = self._socket(connection, params, serializer, connection.transport, offered.token)
        await connection.run(socket, self._recorder, self._forget)
        return True

    def _socket(
        self,
        below: SocketTransport,
        params: dict[str, Any],
        serializer: Serializer,
        transport: str,
        token: str | None,
    ) -> PhoenixSocket:
        user = params.get("user_id")
        socket_id = f"user:{user}" if isinstance(user, str) else None
        info = SocketInfo(socket_id, params, serializer.vsn, transport, token)
        limit = self._options.max_channels
        return PhoenixSocket(below, info, serializer, self.hub, self._route, limit)

    def _route(self, topic: str) -> Callable[[], ServerChannel] | None:
        """Returns what makes the channel of a topic: the script's word counts before the routes."""
        scripted = self._script.channel(topic)
        if scripted is not None:
            return scripted
        for pattern, channel in self._routes.items():
            if matches_topic(pattern, topic):
                return channel
        return None

    def _refuse(
        self,
        request: HttpRequest,
        params: dict[str, Any],
        response: HttpResponse,
        writer: asyncio.StreamWriter,
    ) -> bool:
        self._recorder.refuse(response.status, params, request.headers)
        writer.write(response.render())
        return False

    def _open_session(
        self, request: HttpRequest, params: dict[str, Any], token: str
    ) -> LongPollSession | HttpResponse:
        """Makes a session of long poll, or returns the response that refuses it."""
        serializer = serializer_for(params.get("vsn", "1.0.0"))
        if self._refusal is not None:
            self._recorder.refuse(self._refusal.status, params, request.headers)
            return self._refusal
        if serializer is None or params.get("token") == "bad":
            self._recorder.refuse(403, params, request.headers)
            return status_answer(403)
        auth_token = request.header(AUTH_TOKEN_HEADER) if self._options.auth_token else None
        number = self._recorder.accept(params, request.headers, 200)
        session = LongPollSession(number, token, self._options.window_seconds)
        self._connections[number] = session
        session.begin(
            self._socket(session, params, serializer, session.transport, auth_token),
            self._recorder,
            self._forget_session,
        )
        return session

    def _forget_session(self, session: LongPollSession) -> None:
        self.long_poll.forget(session)
        self._forget(session)

    def _forget(self, connection: Connection | LongPollSession) -> None:
        self._connections.pop(connection.number, None)

    def refuse_connections(self, response: HttpResponse) -> None:
        """Answers every upgrade, and every poll that asks for a session, with that response."""
        self._refusal = response

    def accept_connections(self) -> None:
        """Accepts connections again."""
        self._refusal = None

    # -- what the control routes do

    def stats(self) -> dict[str, Any]:
        """Returns the counts that `GET /control/stats` answers with."""
        connections = list(self._connections.values())
        topics = [process.topic for c in connections for process in c.socket.channels]
        listed = topics if len(topics) <= MAX_TOPICS_LISTED else []
        return {
            "transports": len(connections),
            "channels": len(topics),
            "by_transport": dict(Counter(connection.transport for connection in connections)),
            "by_topic": {topic: listed.count(topic) for topic in listed},
            "ids": self.hub.ids,
            "os_pid": os.getpid(),
            "processes": len(asyncio.all_tasks()),
            "memory_total": _resident_bytes(),
        }

    def kill_sockets(self) -> int:
        """Ends every TCP stream without a close frame; returns how many there were."""
        connections = list(self._connections.values())
        for connection in connections:
            connection.kill()
        return len(connections)

    def kill_channels(self, topic: str | None = None, ending: Ending = Ending.KILLED) -> int:
        """Ends the channels of a topic, or all: clients get phx_error. Returns how many."""
        processes = [
            process
            for connection in self._connections.values()
            for process in connection.socket.channels
            if topic in {None, process.topic}
        ]
        for process in processes:
            process.stop(ending)
        return len(processes)

    def freeze(self, duration: float) -> int:
        """Suspends every present connection for `duration` seconds; returns how many there were."""
        loop = asyncio.get_running_loop()
        connections = list(self._connections.values())
        for connection in connections:
            connection.hold()
            loop.call_later(duration, connection.release)
        return len(connections)

    def broadcast(self, topic: str, event: str, payload: Any) -> None:
        """Broadcasts to the channels of a topic."""
        self.hub.pubsub.broadcast(topic, event, payload)

    def disconnect(self, user_id: str) -> None:
        """Closes every socket of a user with 1001."""
        self.hub.disconnect(f"user:{user_id}")

    def dump(self, topic: str) -> list[Any]:
        """Returns what `seq` recorded for a topic."""
        return self.hub.ledger.items(topic)

    def reset(self) -> None:
        """Forgets what was recorded for all topics."""
        self.hub.ledger.forget()

    # -- further faults

    def stall(self) -> None:
        """Suspends every connection, and lets requests wait for an answer, until `resume()`."""
        if self.unstalled.is_set():
            self.unstalled.clear()
            self._stalled = list(self._connections.values())
            for connection in self._stalled:
                connection.hold()

    def resume(self) -> None:
        """Ends a stall."""
        stalled, self._stalled = self._stalled, []
        self.unstalled.set()
        for connection in stalled:
            connection.release()

    def close_sockets(self, code: int) -> int:
        """Closes every connection with a close code; returns how many there were."""
        connections = list(self._connections.values())
        for connection in connections:
            connection.close(code)
        return len(connections)

    def send_raw(self, data: str | bytes) -> int:
        """Sends a message as it is to every connection; returns how many there were."""
        connections = list(self._connections.values())
        for connection in connections:
            connection.send(data)
        return len(connections)

    def answer(self, push: RecordedFrame, status: str, response: Any) -> bool:
        """Replies to a push; tells whether its connection is still there."""
        connection = self._connections.get(push.connection)
        if connection is not None:
            connection.socket.answer(push.frame, status, response)
        return connection is not None

    def drain(self) -> None:
        """Closes every connection with 1012, held or not, and ends the sessions."""
        for connection in list(self._connections.values()):
            connection.close_now(RESTART)


def _resident_bytes() -> int:
    """Returns the memory of the process where the system tells it, else 0."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0
