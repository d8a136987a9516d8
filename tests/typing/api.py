"""The public surface as a type checker sees it: read by mypy (`make types`), never run.

Each function is a use that a user would write.
"""

from __future__ import annotations

from typing import Any, assert_type

import pykka

from phoenix_actors import ChannelActor, JoinRejected, JoinTimeout, PushReply, SocketClient
from supervisors import (
    ActorRef,
    CallTimeout,
    ChildCounts,
    ChildInfo,
    ChildSpec,
    Down,
    DynamicSupervisor,
    GenServer,
    NoProcError,
    OnStuck,
    Restart,
    Supervisor,
    SupervisorRef,
    System,
    Unstopped,
    run,
    unstopped,
)


class Counter(GenServer):
    """A server with typed callbacks of its own."""

    def init(self, start: int = 0) -> None:
        """Keeps the number."""
        self.number = start

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Adds and answers."""
        self.number += request
        return self.number

    def handle_info(self, message: Any) -> None:
        """Takes the end of another actor."""
        match message:
            case Down(ref=ref, reason=reason):
                self.last = (ref, reason)


class Lobby(ChannelActor):
    """A channel with typed callbacks of its own."""

    def handle_join(self, response: Any) -> None:
        """Greets."""
        self.push("hello", {"body": "hi"})

    def handle_message(self, event: str, payload: Any) -> None:
        """Keeps the last message."""
        self.last = (event, payload)


def refs(ref: ActorRef) -> None:
    """A reference is Pykka's, with typed answers."""
    pykka_ref: pykka.ActorRef[Any] = ref
    assert_type(pykka_ref.is_alive(), bool)
    was_alive: bool = ref.stop(timeout=1.0)
    assert_type(was_alive, bool)
    assert_type(ref.call(1, timeout=None), Any)
    try:
        ref.ask(1, timeout=1.0)
    except (CallTimeout, NoProcError) as error:
        lost: TimeoutError | LookupError = error
        raise lost from error


def specs() -> list[ChildSpec]:
    """Closed sets take the word and the member."""
    return [
        ChildSpec(id="a", start=Counter, restart="transient", shutdown=1.0),
        ChildSpec(id="b", start=Counter, args=(1,), restart=Restart.TEMPORARY, shutdown=None),
        Counter.child_spec(1, id="c", restart="permanent"),
    ]


def supervision() -> None:
    """A supervisor takes specs, classes and tuples, and answers with records."""
    children = [*specs(), Counter, (Counter, 5)]
    supervisor: SupervisorRef = Supervisor.start_link(
        children, strategy="one_for_one", max_restarts=3, max_seconds=5.0
    )
    with supervisor:
        assert_type(supervisor.which_children(), list[ChildInfo])
        assert_type(supervisor.count_children(), ChildCounts)
        supervisor.terminate_child("a")
        supervisor.delete_child("a")
    DynamicSupervisor.start_link(max_children=10).start_child((Counter, 1))


def client() -> None:
    """A client joins, pushes and waits, each with its own type."""
    with SocketClient.start_link(url="ws://localhost:4000/socket", params={"token": "…"}) as client:
        client.wait_connected(timeout=5.0)
        assert_type(client.connected, bool)
        try:
            channel = client.join("rooms:lobby", {"user": "alice"}, channel=Lobby)
        except JoinTimeout as error:
            late: TimeoutError = error
            raise late from error
        except JoinRejected as error:
            assert_type(error.topic, str)
            raise
        reply = channel.push("new_message", {"body": "hi"}).get(timeout=5)
        assert_type(reply, PushReply)
        assert_type(reply.status, str)
        channel.on("new_message", print).off()
        channel.leave()


def program() -> int:
    """A program of one tree; what did not stop is listed."""
    with System([Counter], strategy="one_for_one", shutdown_timeout=5.0) as system:
        assert_type(system.supervisor, SupervisorRef)
        assert_type(system.supervisor.stop_within(1.0), list[Unstopped])
    assert_type(system.unstopped, list[Unstopped])
    assert_type(unstopped()[0].path, str)
    assert_type(unstopped()[0].seconds, float)
    ChildSpec(id="a", start=Counter, on_stuck=OnStuck.WAIT)
    return run([Counter], strategy="one_for_one", max_abandoned=None)
