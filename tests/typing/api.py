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
    CircuitBreaker,
    CircuitState,
    Down,
    DynamicSupervisor,
    GenServer,
    NoProcError,
    Restart,
    Supervisor,
    SupervisorRef,
    dead_letters,
    monitor,
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


class Plain(pykka.ThreadingActor):
    """An actor of plain Pykka."""


class Bounded(GenServer):
    """A server with a bounded mailbox that puts messages aside."""

    mailbox_limit = 100
    mailbox_overflow = "drop_oldest"
    stash_limit = 10

    def handle_cast(self, message: Any) -> None:
        """Puts aside, or takes up what was."""
        if message == "open":
            assert_type(self.unstash_all(), int)
        else:
            self.stash()


def plain_actors() -> None:
    """Plain Pykka classes are children, their references are watched."""
    Supervisor.start_link([Plain, (Plain,), ChildSpec("a", Plain)], strategy="one_for_one")
    assert_type(monitor(Plain.start()).wait(1.0), Down)


def helpers() -> None:
    """A breaker keeps the types of what it calls; letters are records."""
    breaker = CircuitBreaker("db", failure_threshold=3, reset_timeout=1.0)
    assert_type(breaker.call(int, "7"), int)
    assert_type(breaker.state, CircuitState)
    with breaker.guard(), dead_letters.subscribe(lambda letter: letter.why):
        pass


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
