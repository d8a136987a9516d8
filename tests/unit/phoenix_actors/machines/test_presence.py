"""Presences by state and diff, after the tests of phoenix.js."""

from __future__ import annotations

import copy as deep
from typing import Any

import pytest

from phoenix_actors.machines.presence import (
    MAX_HELD,
    DiffCame,
    JoinBegun,
    Malformed,
    PresenceJoined,
    PresenceLeft,
    PresenceMachine,
    PresenceSynced,
    StateCame,
    copy,
    sync_diff,
    sync_state,
)


def metas(*refs: str, **more: Any) -> dict[str, Any]:
    """Returns a presence with these metas."""
    return {"metas": [{"phx_ref": ref, **more} for ref in refs]}


def diff(joins: dict[str, Any] | None = None, leaves: dict[str, Any] | None = None) -> DiffCame:
    """Returns a diff as the server sends it."""
    return DiffCame({"joins": joins or {}, "leaves": leaves or {}})


def refs(machine: PresenceMachine) -> dict[str, list[str]]:
    """Returns the refs that are listed under each key."""
    return {key: [m["phx_ref"] for m in here["metas"]] for key, here in machine.state.items()}


def synced(state: dict[str, Any]) -> PresenceMachine:
    """Returns a machine that has this state."""
    machine = PresenceMachine()
    machine.handle(StateCame(state))
    return machine


# -- states


@pytest.mark.contract("C128")
def test_a_state_tells_who_came_and_who_left() -> None:
    """Keys that are gone left, new keys joined; joins are told first."""
    state, changes = sync_state({"u4": metas("4")}, {"u1": metas("1"), "u2": metas("2")})
    assert state == {"u1": metas("1"), "u2": metas("2")}
    assert changes == [
        PresenceJoined("u1", None, metas("1")),
        PresenceJoined("u2", None, metas("2")),
        PresenceLeft("u4", metas(), metas("4")),
    ]


@pytest.mark.contract("C128")
def test_a_known_key_tells_only_its_metas_that_differ() -> None:
    """The meta that both have is neither a join nor a leave."""
    state, changes = sync_state({"u3": metas("1", "2")}, {"u3": metas("2", "3")})
    assert state == {"u3": metas("2", "3")}
    assert changes == [
        PresenceJoined("u3", metas("1", "2"), metas("3")),
        PresenceLeft("u3", metas("2", "3"), metas("1")),
    ]


def test_a_state_that_is_the_same_tells_nothing() -> None:
    """But that it was synced."""
    machine = synced({"u": metas("1")})
    assert machine.handle(StateCame({"u": metas("1")})) == [PresenceSynced()]


# -- diffs


@pytest.mark.contract("C129")
def test_earlier_metas_come_before_the_joined_ones() -> None:
    """And one that is joined again stands where it is joined."""
    state, changes = sync_diff({"u": metas("1", "2")}, {"u": metas("3", "1")}, {})
    assert state == {"u": metas("2", "3", "1")}
    assert changes == [PresenceJoined("u", metas("1", "2"), metas("3", "1"))]


@pytest.mark.contract("C130")
def test_metas_leave_by_their_ref() -> None:
    """All that are named, whatever else stands in them; the key goes with its last meta."""
    state, changes = sync_diff({"u": metas("1", "2", "3")}, {}, {"u": metas("1", "3", old=True)})
    assert state == {"u": metas("2")}
    assert changes == [PresenceLeft("u", metas("2"), metas("1", "3", old=True))]
    state, changes = sync_diff(state, {}, {"u": metas("2")})
    assert (state, changes) == ({}, [PresenceLeft("u", metas(), metas("2"))])
    assert sync_diff(state, {}, {"u": metas("2")}) == ({}, [])


@pytest.mark.contract("C131")
def test_an_update_keeps_the_key() -> None:
    """A join and a leave of one key in one diff: at no moment is nobody there."""
    state, changes = sync_diff(
        {"u": metas("1")}, {"u": metas("2", phx_ref_prev="1")}, {"u": metas("1")}
    )
    assert state == {"u": metas("2", phx_ref_prev="1")}
    assert changes == [
        PresenceJoined("u", metas("1"), metas("2", phx_ref_prev="1")),
        PresenceLeft("u", metas("2", phx_ref_prev="1"), metas("1")),
    ]


@pytest.mark.contract("C132")
def test_inputs_are_not_changed() -> None:
    """Neither the state before, nor what came; and what came may be changed afterwards."""
    before = {"u": metas("1"), "v": metas("5")}
    joins, leaves = {"u": metas("2"), "w": metas("3")}, {"u": metas("1"), "v": metas("5")}
    kept = deep.deepcopy((before, joins, leaves))
    sync_diff(before, joins, leaves)
    sync_state(before, joins)
    assert (before, joins, leaves) == kept
    payload = {"u": metas("1")}
    machine = synced(payload)
    payload["u"]["metas"][0]["phx_ref"] = "9"
    assert refs(machine) == {"u": ["1"]}


def test_a_former_state_is_not_changed() -> None:
    """Who holds it sees it as it was."""
    machine = synced({"u": metas("1")})
    held = machine.state
    machine.handle(diff({"u": metas("2")}, {"u": metas("1")}))
    assert held == {"u": metas("1")}


# -- joins and rejoins


@pytest.mark.contract("C126")
def test_a_diff_before_the_state_waits_for_it() -> None:
    """It is told after the state's changes, and all is one sync."""
    machine = PresenceMachine()
    assert machine.handle(diff({"v": metas("2")}, {"u": metas("1")})) == []
    assert (machine.state, machine.synced) == ({}, False)
    assert machine.handle(StateCame({"u": metas("1")})) == [
        PresenceJoined("u", None, metas("1")),
        PresenceJoined("v", None, metas("2")),
        PresenceLeft("u", metas(), metas("1")),
        PresenceSynced(),
    ]
    assert refs(machine) == {"v": ["2"]}
    assert machine.handle(StateCame({"v": metas("2")})) == [PresenceSynced()]


@pytest.mark.contract("C127", "C126")
def test_a_rejoin_tells_only_the_differences() -> None:
    """The old state stays until the new one comes; diffs of the new join wait for it."""
    machine = synced({"stays": metas("1"), "goes": metas("2")})
    assert machine.handle(JoinBegun()) == []
    assert machine.handle(diff({"late": metas("4")})) == []
    assert refs(machine) == {"stays": ["1"], "goes": ["2"]}
    assert machine.handle(StateCame({"stays": metas("1"), "comes": metas("3")})) == [
        PresenceJoined("comes", None, metas("3")),
        PresenceLeft("goes", metas(), metas("2")),
        PresenceJoined("late", None, metas("4")),
        PresenceSynced(),
    ]


def test_diffs_of_a_join_that_is_over_are_dropped() -> None:
    """The next state knows what they told, and of what came since."""
    machine = PresenceMachine()
    machine.handle(diff({"ghost": metas("1")}))
    machine.handle(JoinBegun())
    assert machine.handle(StateCame({})) == [PresenceSynced()]
    assert machine.state == {}


def test_diffs_without_a_state_are_not_kept_for_ever() -> None:
    """The newest are."""
    machine = PresenceMachine()
    for number in range(MAX_HELD + 1):
        machine.handle(diff({str(number): metas("1")}))
    machine.handle(StateCame({}))
    assert list(machine.state) == [str(number) for number in range(1, MAX_HELD + 1)]


@pytest.mark.contract("C133")
def test_one_sync_for_each_state_and_each_diff() -> None:
    """Last of all, and for an empty one too."""
    machine = PresenceMachine()
    assert machine.handle(StateCame({})) == [PresenceSynced()]
    assert machine.handle(diff()) == [PresenceSynced()]
    assert machine.handle(diff({"u": metas("1")}))[1:] == [PresenceSynced()]


@pytest.mark.contract("C131")
def test_what_a_real_server_sends() -> None:
    """Captured frames: an empty state, the join of oneself, an update with its refs."""
    first = {"phx_ref": "GOqHa125GASFfgfB", "online_at": 1795396296}
    second = {"phx_ref": "GOqHa2PdxheFfgfR", "phx_ref_prev": "GOqHa125GASFfgfB", "s": 1}
    one, two = {"metas": [first]}, {"metas": [second]}
    machine = PresenceMachine()
    assert machine.handle(StateCame({})) == [PresenceSynced()]
    joined = machine.handle(DiffCame({"joins": {"al": one}, "leaves": {}}))
    assert joined == [PresenceJoined("al", None, one), PresenceSynced()]
    updated = machine.handle(DiffCame({"joins": {"al": two}, "leaves": {"al": one}}))
    assert updated == [
        PresenceJoined("al", one, two),
        PresenceLeft("al", two, one),
        PresenceSynced(),
    ]
    assert machine.state == {"al": two}


# -- odd words and odd payloads


@pytest.mark.contract("C136")
@pytest.mark.parametrize("key", ["__proto__", "__class__", "metas", "", "constructor", "0"])
def test_every_key_is_a_key(key: str) -> None:
    """It comes, is updated, and leaves like any other."""
    machine = synced({})
    assert machine.handle(diff({key: metas("1")}))[0] == PresenceJoined(key, None, metas("1"))
    machine.handle(diff({key: metas("2")}, {key: metas("1")}))
    assert refs(machine) == {key: ["2"]}
    machine.handle(StateCame({}))
    assert machine.state == {}


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        b"\x00",
        "presences",
        {"u": []},
        {"u": {}},
        {"u": {"metas": {}}},
        {"u": {"metas": ["1"]}},
        {"u": {"metas": [{}]}},
        {"u": {"metas": [{"phx_ref": ["1"]}]}},
    ],
)
def test_what_is_no_presence_changes_nothing(payload: Any) -> None:
    """An application may use the words for something else."""
    machine = synced({"v": metas("1")})
    assert machine.handle(StateCame(payload)) == [Malformed()]
    assert machine.handle(DiffCame({"joins": payload, "leaves": {}})) == [Malformed()]
    assert machine.handle(DiffCame({"joins": {}, "leaves": payload})) == [Malformed()]
    assert refs(machine) == {"v": ["1"]}


@pytest.mark.parametrize("payload", [None, [], "diff", b"\x00"])
def test_what_is_no_diff_changes_nothing(payload: Any) -> None:
    """It is not even held."""
    machine = PresenceMachine()
    assert machine.handle(DiffCame(payload)) == [Malformed()]
    assert machine.handle(StateCame({})) == [PresenceSynced()]


def test_what_else_a_presence_has_is_kept() -> None:
    """The server's `fetch` adds to it."""
    fetched = {**metas("1"), "user": {"name": "Al"}}
    machine = synced({"u": fetched})
    machine.handle(diff({"u": {**metas("2"), "user": {"name": "Alice"}}}))
    assert machine.state == {"u": {**metas("1", "2"), "user": {"name": "Alice"}}}


def test_no_repr_tells_who_is_present() -> None:
    """Nor what the metas say."""
    told = synced({}).handle(StateCame({"secret": metas("secret")}))
    events = [StateCame({"secret": 1}), diff({"secret": metas("1")}), *told]
    assert "secret" not in repr(events)


def test_copies_share_nothing_changeable() -> None:
    """However deep it lies."""
    value = {"a": [{"b": [1]}], "c": "text"}
    copied = copy(value)
    copied["a"][0]["b"].append(2)
    assert value == {"a": [{"b": [1]}], "c": "text"}
