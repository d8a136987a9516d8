"""Child specifications: defaults, checks, and texts that say what is wrong."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from supervisors import (
    BRUTAL_KILL,
    UNSET,
    Backoff,
    ChildSpec,
    ChildSpecError,
    ChildType,
    DynamicSupervisor,
    GenServer,
    OnStuck,
    PartitionSupervisor,
    Registry,
    Restart,
    SpecProblem,
    Supervisor,
    TaskSupervisor,
    check_childspecs,
)
from supervisors.child_spec import as_child_spec, refuse_unknown


class Cache(GenServer):
    pass


def refusal(**keys: Any) -> ChildSpecError:
    """Returns the error for these keys."""
    with pytest.raises(ChildSpecError) as caught:
        ChildSpec(**keys)
    return caught.value


@pytest.mark.contract("S1")
def test_defaults() -> None:
    """Only an id and a start: permanent, a worker, five seconds, not significant."""
    spec = ChildSpec("a", print)
    assert (spec.restart, spec.type, spec.shutdown) == (Restart.PERMANENT, ChildType.WORKER, 5.0)
    assert (spec.significant, spec.args, spec.kwargs) == (False, (), {})
    assert (spec.name, spec.backoff, spec.on_stuck) == (None, None, "replace")


@pytest.mark.contract("S2")
@pytest.mark.parametrize(("given", "taken"), [(UNSET, None), (3, 3.0), (BRUTAL_KILL, BRUTAL_KILL)])
def test_shutdown_of_supervisors(given: Any, taken: Any) -> None:
    """A supervisor may take for ever to stop unless it is said otherwise."""
    assert ChildSpec("a", print, type="supervisor", shutdown=given).shutdown == taken


@pytest.mark.contract("S7")
@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (0, 0.0),
        (1, 1.0),
        (2.5, 2.5),
        (timedelta(minutes=1), 60.0),
        (None, None),
        (math.inf, math.inf),
    ],
    ids=["zero", "int", "float", "timedelta", "none", "inf"],
)
def test_shutdown_in_seconds(given: Any, taken: Any) -> None:
    """Seconds from 0 on, a timedelta, or None."""
    assert ChildSpec("a", print, shutdown=given).shutdown == taken


@pytest.mark.contract("S7")
@pytest.mark.parametrize(
    "bad", [-1, -0.1, math.nan, "5", True, timedelta(seconds=-1), UNSET.__class__]
)
def test_bad_shutdown(bad: Any) -> None:
    """Anything else is refused with the value."""
    error = refusal(id="a", start=print, shutdown=bad)
    assert (error.problem, repr(error.value)) == (SpecProblem.BAD_SHUTDOWN, repr(bad))
    assert "child 'a': shutdown must be 0 or more seconds, None or BRUTAL_KILL" in str(error)


@pytest.mark.contract("S3")
def test_missing_id() -> None:
    """A specification needs an id, and one that can be looked up."""
    assert refusal(start=print).problem is SpecProblem.MISSING_ID
    assert refusal(id=[], start=print).problem is SpecProblem.MISSING_ID


@pytest.mark.contract("S4")
def test_missing_start() -> None:
    """A specification needs a start."""
    assert refusal(id="a").problem is SpecProblem.MISSING_START


@pytest.mark.contract("S5")
@pytest.mark.parametrize(
    "keys",
    [
        {"start": "print"},
        {"start": None},
        {"args": "abc"},
        {"args": 1},
        {"kwargs": [1]},
        {"kwargs": {1: 2}},
    ],
    ids=repr,
)
def test_bad_start(keys: dict[str, Any]) -> None:
    """A start that cannot be called, or cannot be called so, is refused with the value."""
    error = refusal(**{"id": "a", "start": print, **keys})
    [(key, value)] = keys.items()
    assert (error.problem, error.value) == (SpecProblem.BAD_START, value)
    assert f"child 'a': {key}" in str(error)


@pytest.mark.contract("S6")
@pytest.mark.parametrize(
    ("key", "problem", "choices"),
    [
        ("restart", SpecProblem.BAD_RESTART, "'permanent', 'transient', 'temporary'"),
        ("type", SpecProblem.BAD_TYPE, "'worker', 'supervisor'"),
    ],
)
def test_bad_words(key: str, problem: SpecProblem, choices: str) -> None:
    """An unknown word is refused with the value and the choices."""
    error = refusal(**{"id": "a", "start": print, key: "permanentt"})
    assert (error.problem, error.value) == (problem, "permanentt")
    assert f"{key} must be one of {choices}, not 'permanentt'" in str(error)


@pytest.mark.contract("S8")
@pytest.mark.parametrize("bad", [1, 0, "yes", None])
def test_bad_significant(bad: Any) -> None:
    """Only True and False are taken."""
    error = refusal(id="a", start=print, restart="transient", significant=bad)
    assert (error.problem, error.value) == (SpecProblem.BAD_SIGNIFICANT, bad)


@pytest.mark.contract("S8")
def test_bad_significant_of_a_class_whose_specification_is_kept() -> None:
    """0 is equal to False, and yet not what is kept for the class alone."""
    assert Cache.child_spec() is Cache.child_spec()
    with pytest.raises(ChildSpecError) as caught:
        Cache.child_spec(significant=0)  # type: ignore[arg-type]
    assert caught.value.problem == SpecProblem.BAD_SIGNIFICANT


@pytest.mark.contract("S9")
def test_significant_permanent() -> None:
    """A permanent child is restarted, so it cannot be significant."""
    error = refusal(id="a", start=print, significant=True)
    assert error.problem is SpecProblem.BAD_COMBINATION
    assert "significant=True does not go with restart='permanent'" in str(error)


@pytest.mark.contract("S11")
@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("restrat", "(did you mean 'restart'?)"),
        ("shut_down", "(did you mean 'shutdown'?)"),
        ("zzz", "'zzz' of a child specification; there are id, start"),
    ],
)
def test_unknown_key(key: str, hint: str) -> None:
    """A misspelt key is an error that guesses what was meant and lists the choices."""
    error = refusal(**{"id": "a", "start": print, key: "transient"})
    assert (error.problem, error.value) == (SpecProblem.UNKNOWN_KEY, key)
    assert hint in str(error)


@pytest.mark.parametrize("bad", [3, "fast", object()], ids=["int", "str", "object"])
def test_bad_backoff(bad: Any) -> None:
    """A backoff is a Backoff."""
    assert refusal(id="a", start=print, backoff=bad).problem is SpecProblem.BAD_BACKOFF
    assert ChildSpec("a", print, backoff=Backoff()).backoff == Backoff()


def test_on_stuck() -> None:
    """Words that are not documented are refused; the others become members."""
    assert refusal(id="a", start=print, on_stuck="explode").problem is SpecProblem.BAD_ON_STUCK
    for policy in OnStuck:
        assert ChildSpec("a", print, on_stuck=str(policy)).on_stuck is policy


@pytest.mark.contract("S12")
def test_published_spec() -> None:
    """A class publishes its own: its name is the id, keys can be given and changed."""
    spec = Cache.child_spec(1, restart="transient", size=2)
    assert (spec.id, spec.start, spec.args, spec.kwargs) == ("Cache", Cache, (1,), {"size": 2})
    changed = spec.with_(id=7, shutdown=BRUTAL_KILL)
    assert (changed.id, changed.restart, changed.shutdown) == (7, Restart.TRANSIENT, BRUTAL_KILL)
    assert (spec.id, spec.shutdown) == ("Cache", 5.0)
    with pytest.raises(ChildSpecError, match="did you mean 'restart'"):
        spec.with_(restartt="permanent")


@pytest.mark.contract("S12", "S2")
def test_published_specs_of_supervisors() -> None:
    """Supervisors publish themselves as supervisors, under their name where they have one."""
    specs = [
        Supervisor.child_spec([], strategy="one_for_one", name="app"),
        DynamicSupervisor.child_spec(max_children=3),
        Registry.child_spec(name="rooms"),
    ]
    assert [spec.id for spec in specs] == ["app", "DynamicSupervisor", "rooms"]
    assert [spec.type for spec in specs] == ["supervisor", "supervisor", "worker"]
    assert [spec.shutdown for spec in specs] == [None, None, 5.0]
    spec = DynamicSupervisor.child_spec(restart="temporary", significant=True)
    assert spec.significant


def test_published_specs_of_who_gets_stuck() -> None:
    """Each class's child_spec() takes on_stuck, and keeps it from what it starts."""
    before = Cache.child_spec()
    specs = [
        Cache.child_spec(on_stuck="wait"),
        Supervisor.child_spec([], strategy="one_for_one", on_stuck="wait"),
        DynamicSupervisor.child_spec(on_stuck="wait"),
        PartitionSupervisor.child_spec(Cache, name="parts", on_stuck="wait"),
        Registry.child_spec(on_stuck="wait"),
        TaskSupervisor.child_spec(on_stuck="wait"),
    ]
    assert [spec.on_stuck for spec in specs] == [OnStuck.WAIT] * 6
    assert before.on_stuck is Cache.child_spec().on_stuck is OnStuck.REPLACE
    assert [spec.kwargs.get("on_stuck") for spec in specs] == [None] * 6
    with pytest.raises(ChildSpecError, match="on_stuck must be one of 'replace', 'wait'"):
        Cache.child_spec(on_stuck="kill")


@pytest.mark.parametrize("kind", [DynamicSupervisor, TaskSupervisor, PartitionSupervisor])
def test_max_abandoned_of_all_supervisors(kind: Any) -> None:
    """Each kind of supervisor is told how many abandoned children it bears."""
    own: tuple[Any, ...] = (Cache,) if kind is PartitionSupervisor else ()
    name = {"name": "parts"} if own else {}
    [planned, *_] = kind.child_spec(*own, max_abandoned=7, **name).args
    assert getattr(planned, "flags", planned).max_abandoned == 7
    with pytest.raises(ChildSpecError, match="max_abandoned must be a whole number"):
        kind.child_spec(*own, max_abandoned=-1, **name)


@pytest.mark.contract("S13")
@pytest.mark.parametrize("bad", [3, None, "Cache", dict, (), (dict, 1), Cache(), [Cache]], ids=repr)
def test_no_child(bad: Any) -> None:
    """What publishes no specification is refused in the caller, with what was expected."""
    with pytest.raises(ChildSpecError, match="give a ChildSpec, a class with child_spec") as caught:
        as_child_spec(bad)
    assert caught.value.problem is SpecProblem.NOT_A_SPEC


def test_no_secret_in_the_refusal() -> None:
    """The arguments of a tuple are not shown."""
    with pytest.raises(ChildSpecError) as caught:
        as_child_spec((dict, {"token": "s3cret"}))
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(Cache.child_spec("s3cret", header="s3cret"))


def test_tuple_and_class() -> None:
    """A class, and a class with arguments, stand for their specifications."""
    assert as_child_spec(Cache) == Cache.child_spec()
    assert as_child_spec((Cache, 1, 2)) == Cache.child_spec(1, 2)


@pytest.mark.contract("S10", "S14")
def test_dry_run() -> None:
    """A list is checked as a whole without starting anything."""
    assert [spec.id for spec in check_childspecs([Cache, ChildSpec("b", print)])] == ["Cache", "b"]
    with pytest.raises(ChildSpecError, match="two children have the id 'Cache'") as caught:
        check_childspecs([Cache, (Cache, 1)])
    assert (caught.value.problem, caught.value.value) == (SpecProblem.DUPLICATE_ID, "Cache")
    significant = ChildSpec("a", print, restart="transient", significant=True)
    with pytest.raises(ChildSpecError, match="auto_shutdown='never'"):
        check_childspecs([significant])
    assert check_childspecs([significant], auto_shutdown="any_significant") == [significant]
    with pytest.raises(ChildSpecError, match="auto_shutdown must be one of 'never'"):
        check_childspecs([], auto_shutdown="sometimes")
    with pytest.raises(ChildSpecError, match="children must be a list, not a NoneType"):
        check_childspecs(None)  # type: ignore[arg-type]


def test_immutable() -> None:
    """A specification does not change, since many children may share it."""
    spec = ChildSpec("a", print)
    with pytest.raises(AttributeError, match="use with_"):
        spec.restart = Restart.TEMPORARY
    given = {"size": 1}
    shared = ChildSpec("a", print, kwargs=given)
    given["size"] = 2
    assert shared.kwargs == {"size": 1}


def test_refuse_unknown_passes_nothing() -> None:
    """No keyword, no error."""
    refuse_unknown({}, ["a"], "option", "a thing")
