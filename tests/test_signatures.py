"""What the documentation calls by keyword can be called by keyword: the words are public too."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from phoenix_actors import Channel, ChannelActor, Message, Presence, SocketClient
from supervisors import (
    ActorRef,
    Backoff,
    ChildSpec,
    DynamicSupervisorRef,
    GenServer,
    Monitor,
    PartitionSupervisor,
    PartitionSupervisorRef,
    RegistryRef,
    Reply,
    SupervisorRef,
    SupervisorSpec,
    TaskSupervisorRef,
    check_childspecs,
    introspect,
    observer,
    register_name,
    run,
    telemetry,
    via,
    whereis,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS: list[tuple[Callable[..., object], str]] = [
    (ActorRef.ask, "self message block timeout"),
    (ActorRef.call, "self request timeout"),
    (ActorRef.tell, "self message"),
    (ActorRef.cast, "self message"),
    (ActorRef.send_info, "self message"),
    (ActorRef.stop, "self reason block timeout"),
    (ActorRef.exit, "self reason"),
    (Reply.result, "self timeout"),
    (Reply.get, "self timeout"),
    (Reply.add_done_callback, "self fn"),
    (Monitor.wait, "self timeout"),
    (GenServer.send_after, "self delay message"),
    (GenServer.link, "self ref"),
    (GenServer.monitor, "self ref"),
    (GenServer.child_spec, "id name restart shutdown type significant"),
    (SupervisorRef.start_child, "self spec"),
    (SupervisorRef.terminate_child, "self id_or_ref"),
    (SupervisorRef.restart_child, "self id"),
    (SupervisorRef.delete_child, "self id"),
    (SupervisorRef.get_childspec, "self id_or_ref"),
    (DynamicSupervisorRef.start_child, "self spec"),
    (PartitionSupervisor.start_link, "child name"),
    (PartitionSupervisorRef.partition, "self key"),
    (TaskSupervisorRef.map, "self fn items max_concurrency ordered"),
    (RegistryRef.register, "self key value owner"),
    (RegistryRef.dispatch, "self key fn"),
    (RegistryRef.put_meta, "self key value"),
    (
        ChildSpec,
        "id start args kwargs restart shutdown type significant name backoff on_stuck",
    ),
    (SupervisorSpec, "children strategy max_restarts max_seconds auto_shutdown backoff"),
    (Backoff, "initial maximum factor jitter reset_after"),
    (check_childspecs, "children"),
    (run, "children strategy"),
    (via, "registry key"),
    (whereis, "name"),
    (register_name, "name ref"),
    (introspect.replace_state, "ref fn"),
    (observer.render, "snapshot"),
    (telemetry.attach, "handler_id event fn config"),
    (telemetry.attach_many, "handler_id events fn config"),
    (telemetry.execute, "event measurements metadata"),
    (SocketClient.child_spec, "id restart shutdown significant"),
    (SocketClient.join, "self topic params channel timeout subscriber on"),
    (SocketClient.wait_connected, "self timeout"),
    (SocketClient.push, "self message"),
    (SocketClient.put_state, "self key value"),
    (SocketClient.ping, "self timeout"),
    (Channel.join, "client topic params channel"),
    (Channel.push, "channel event payload"),
    (Channel.push_async, "channel event payload"),
    (Channel.on, "self event fn"),
    (Channel.off, "self event subscription"),
    (Channel.messages, "self timeout"),
    (ChannelActor.push, "self event payload timeout"),
    (Message, "topic event payload ref join_ref channel"),
    (Message.join, "topic params"),
    (Message.push, "topic event payload"),
    (Presence.list, "self by"),
]


@pytest.mark.parametrize(
    ("called", "words"), WORDS, ids=[called.__qualname__ for called, _ in WORDS]
)
def test_by_keyword(called: Callable[..., object], words: str) -> None:
    """Each documented parameter is taken by its documented word, not swept up by **kwargs."""
    named = {
        parameter.name
        for parameter in inspect.signature(called).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    assert set(words.split()) <= named
