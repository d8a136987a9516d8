"""The public surface as a type checker sees it: read by mypy (`make types`), never run.

Each function is a use that a user would write.
"""

from __future__ import annotations

import json
from typing import Any, Literal, assert_type

import pykka

from phoenix_actors import (
    DROP,
    AuthTokenIgnored,
    ChannelActor,
    Dropped,
    JoinRejected,
    JoinTimeout,
    Message,
    ProxyOptions,
    PushReply,
    SocketClient,
    TCPOptions,
    TransportOptions,
    aio,
)
from supervisors import (
    ANY,
    BRUTAL_KILL,
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
    KeyRegistered,
    KeyUnregistered,
    NoProcError,
    OnStuck,
    PartitionSupervisor,
    PartitionSupervisorRef,
    Registry,
    RegistryRef,
    Restart,
    Supervisor,
    SupervisorRef,
    System,
    Task,
    TaskOutcome,
    TaskSupervisor,
    TaskSupervisorRef,
    Unstopped,
    callers,
    cancelled,
    dead_letters,
    introspect,
    monitor,
    run,
    unstopped,
    via,
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


def partitions() -> None:
    """A partition supervisor gives the child of a key, by its ref or by its name."""
    parts: PartitionSupervisorRef = PartitionSupervisor.start_link(
        (Counter, 1), partitions=4, with_arguments=lambda args, number: (number,), name="parts"
    )
    assert_type(parts.partitions(), int)
    assert_type(parts.resize(2), int)
    assert_type(PartitionSupervisor.count_children("parts"), ChildCounts)
    assert_type(PartitionSupervisor.which_children("parts"), list[ChildInfo])
    PartitionSupervisor.partition("parts", "alice").tell(1)


def tasks() -> None:
    """A task has the type of what its function returns."""
    crew: TaskSupervisorRef = TaskSupervisor.start_link(max_children=10)
    task = crew.run(len, "abc", shutdown=1.0)
    assert_type(task, Task[int])
    assert_type(task.result(timeout=1.0), int)
    outcome = crew.run_nolink(len, "abc").yield_(1.0)
    assert_type(outcome, TaskOutcome[int] | None)
    if outcome is not None and outcome.ok:
        assert_type(outcome.unwrap(), int)
    assert_type(task.shutdown(BRUTAL_KILL), TaskOutcome[int] | None)
    assert_type(crew.start_child(len, "abc", restart="transient"), ActorRef)
    for length in crew.map(len, ["a", "bc"], max_concurrency=2, ordered=False):
        assert_type(length, int)
    crew.terminate_child(task)
    assert_type(callers(), tuple[ActorRef, ...])
    assert_type(cancelled(), bool)


async def awaited(crew: TaskSupervisorRef) -> None:
    """A task is awaitable, with the same type."""
    assert_type(await crew.run(len, "abc"), int)


def registries(ref: ActorRef) -> None:
    """A registry takes any key and answers with refs and values."""
    topics: RegistryRef = Registry.start_link(
        keys="duplicate", name="topics", listeners=["ear", ref]
    )
    topics.register(("room", 1), {"age": 3}, owner=ref)
    assert_type(topics.lookup("a"), list[tuple[Any, Any]])
    assert_type(topics.match("a", (ANY, 1), where=lambda value: value > 1), list[tuple[Any, Any]])
    assert_type(topics.count() + topics.count_match("a") + topics.count_select(ref=ref), int)
    assert_type(topics.unregister_match("a", owner=ref), int)
    topics.dispatch("a", lambda entries: [member.cast(1) for member, _ in entries])
    topics.put_meta("a", 1)
    with topics.lock("a", timeout=1.0):
        topics.unregister("a", owner=ref)
    Counter.start(name=via("rooms", 42, value="v"))
    Registry.child_spec(keys="unique", name="rooms")


def heard(message: KeyRegistered | KeyUnregistered) -> tuple[Any, ...]:
    """A listener tells its messages apart."""
    match message:
        case KeyRegistered(registry=registry, key=key, ref=ref, value=value):
            return registry, key, ref, value
        case KeyUnregistered(key=key, ref=ref):
            return key, ref


class Account(GenServer):
    """Shows of itself what is no secret."""

    def format_status(self, parts: introspect.StatusParts) -> dict[str, Any]:
        """Leaves the message out."""
        return {"balance": parts.state["balance"], "reason": parts.reason}


def looking(ref: ActorRef) -> None:
    """Each function of introspect takes a reference and a time-out, and answers with a record."""

    def note(event: introspect.TraceEvent) -> None:
        assert_type(event.step, introspect.TraceStep)
        assert_type(event.kind, introspect.TraceKind)
        assert_type(event.seconds, float | None)

    introspect.trace(ref, note)
    introspect.trace(ref, None, timeout=None)
    introspect.suspend(ref, timeout=1.0)
    introspect.resume(ref)
    assert_type(introspect.get_state(ref), Any)
    assert_type(introspect.replace_state(ref, lambda state: {**state, "n": 1}), dict[str, Any])
    assert_type(introspect.statistics(ref, counting=True), introspect.Statistics)
    assert_type(introspect.statistics(ref).busy_for, float | None)
    assert_type(introspect.get_status(ref), introspect.ActorStatus)
    introspect.change_code(ref, specs(), strategy="one_for_all", timeout=1.0)


def hook(message: Message) -> Message | Literal[Dropped.DROP]:
    """A message hook is a function."""
    return DROP if message.event == "typing" else message


class Hook:
    """Or an object that gets the client too."""

    def handle_message(self, message: Message, client: SocketClient) -> Message:
        """Passes on."""
        return message


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
        client.register_message_hook(hook).off()
        client.register_message_hook(Hook()).off()
        channel.leave()


def wires() -> None:
    """What goes between client and server has options of its own, as mappings and as structs."""
    options = TransportOptions(
        tcp_opts=TCPOptions(nodelay=False, send_buffer=65536, recv_buffer=False),
        proxy=ProxyOptions(url="socks5h://proxy:1080", no_proxy=("localhost",)),
    )
    client = SocketClient.start_link(
        url="wss://example.org/socket",
        vsn="1.0.0",
        auth_token=lambda: "…",
        json_library=json,
        transport_opts=options,
        reconnect=False,
    )
    try:
        client.wait_connected()
    except AuthTokenIgnored as error:
        refused: ConnectionError = error
        raise refused from error


def presence(client: SocketClient) -> None:
    """A list is of presences, or of what the function makes of each."""
    presence = client.presence("rooms:lobby")
    assert_type(presence.list(), list[dict[str, Any]])
    assert_type(presence.list(lambda key, here: (key, len(here["metas"]))), list[tuple[str, int]])
    presence.on_join(lambda key, current, new: (key, current is None, new["metas"]))
    presence.on_leave(lambda key, remaining, left: (key, remaining["metas"])).off()
    presence.on_sync(lambda: presence.synced)


async def asyncio_client() -> None:
    """The verbs of the client, awaited."""
    async with aio.SocketClient.start_link(url="ws://localhost:4000/socket") as client:
        assert_type(client, aio.SocketClient)
        await client.wait_connected(timeout=5.0)
        channel = await client.join("rooms:lobby", {"user": "alice"}, channel=Lobby)
        assert_type(channel, aio.Channel)
        reply = await channel.push("new_message", {"body": "hi"})
        assert_type(reply, PushReply)
        async for message in channel.messages(timeout=1.0):
            assert_type(message, Message)
        assert_type(await client.ping(), float)
        await channel.leave()
    assert_type(await aio.SocketClient.start_link(url="ws://h/socket"), aio.SocketClient)


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
