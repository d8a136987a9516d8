"""Requests answered about actors that the test steps."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from supervisors import GenServer, Supervisor, introspect, telemetry
from supervisors._runtime import plugged
from supervisors.observer.actors import size_of
from supervisors.observer.facts import (
    ActorDetail,
    ActorRequest,
    Deed,
    Done,
    Look,
    LookRequest,
    Order,
    Refusal,
    Sort,
)
from supervisors.observer.service import Service
from supervisors.testing import ManualDispatcher
from tests.unit.supervisors.trees import Worker

SECRET = "s3cret-in-the-state"  # noqa: S105  made up


class Keeper(GenServer):
    def init(self) -> None:
        self.token = SECRET
        self.data: list[Any] = []

    def handle_cast(self, message: Any) -> None:
        self.data.append(message)


@pytest.fixture
def service() -> Any:
    made = Service(show_state=False, control=False, count_messages=False)
    yield made
    made.close()


def look(service: Service, **keys: Any) -> Look:
    answer = service.handle(LookRequest(**keys))
    assert isinstance(answer, Look)
    return answer


def test_actors_by_mailbox(service: Service, turns: ManualDispatcher) -> None:
    """The fullest mailbox comes first, no more rows than asked for, and the total is told."""
    refs = [Worker.start(str(number), dispatcher=turns) for number in range(3)]
    for _ in range(5):
        refs[1].tell("x")
    refs[2].tell("x")
    found = look(service, rows=2)
    assert [(row.urn, row.mailbox) for row in found.actors] == [
        (refs[1].actor_urn, 5),
        (refs[2].actor_urn, 1),
    ]
    assert found.actors_total >= 3


def test_actors_by_memory(service: Service, turns: ManualDispatcher) -> None:
    """What an actor keeps counts, in containers of containers too."""
    small, big = (Keeper.start(dispatcher=turns) for _ in range(2))
    big.process.actor.data = [{"body": "x" * 10_000} for _ in range(1000)]
    found = {row.urn: row.memory for row in look(service, sort=Sort.MEMORY, rows=500).actors}
    assert (found[small.actor_urn] or 0) < 10_000
    assert (found[big.actor_urn] or 0) > 10_000_000
    assert look(service, sort=Sort.MEMORY, rows=1).actors[0].urn == big.actor_urn


def test_size_of_what_changes_meanwhile() -> None:
    """A value that cannot be measured counts nothing."""

    class Odd:
        def __sizeof__(self) -> int:
            raise RuntimeError

    assert size_of(Odd()) == 0


def test_messages_are_counted_only_where_asked(turns: ManualDispatcher) -> None:
    """Counting begins with a look and is over with close(); without the option nobody counts."""
    worker = Keeper.start(dispatcher=turns)
    plain = Service(show_state=False, control=False, count_messages=False)
    look(plain)
    plain.close()
    turns.run_until_idle()
    assert not introspect.statistics(worker).counting
    counting = Service(show_state=False, control=False, count_messages=True)
    look(counting)
    turns.run_until_idle()
    worker.tell("x")
    turns.run_until_idle()
    [row] = [row for row in look(counting, rows=400).actors if row.urn == worker.actor_urn]
    assert row.messages == 1
    counting.close()
    turns.run_until_idle()
    assert not introspect.statistics(worker).counting


def test_counting_of_others_goes_on(turns: ManualDispatcher) -> None:
    """Whoever counts already keeps the counts when the observer goes."""
    worker = Worker.start("w", dispatcher=turns)
    introspect.statistics(worker, True)
    counting = Service(show_state=False, control=False, count_messages=True)
    look(counting)
    turns.run_until_idle()
    counting.close()
    turns.run_until_idle()
    assert introspect.statistics(worker).counting


def test_state_is_shown_only_where_allowed(turns: ManualDispatcher, service: Service) -> None:
    """Without show_state there is no state, and a note says how to have it."""
    ref = Keeper.start(dispatcher=turns)
    hidden = service.handle(ActorRequest(ref.actor_urn))
    assert isinstance(hidden, ActorDetail)
    assert hidden.state is None
    assert "show_state=True" in str(hidden.state_note)
    assert SECRET.encode() not in msgspec.json.encode(hidden)
    open_ = Service(show_state=True, control=False, count_messages=False)
    shown = open_.handle(ActorRequest(ref.actor_urn))
    open_.close()
    assert isinstance(shown, ActorDetail)
    assert shown.state == {"token": repr(SECRET), "data": "[]"}


def test_the_state_of_a_supervisor_is_its_rules(turns: ManualDispatcher) -> None:
    """Its strategy and budget by name, and how many children there are; they stand in the tree."""
    app = Supervisor.start_link(
        [Worker.child_spec("a", id="a", dispatcher=turns)],
        strategy="rest_for_one",
        dispatcher=turns,
    )
    service = Service(show_state=True, control=False, count_messages=False)
    shown = service.handle(ActorRequest(app.actor_urn))
    service.close()
    assert isinstance(shown, ActorDetail)
    assert shown.state is not None
    assert (shown.state_of, shown.state["strategy"]) == ("", "'rest_for_one'")
    assert (shown.state["max_restarts"], shown.state["children"]) == ("3", "1")
    assert app.stop()


def test_format_status_has_the_last_word(turns: ManualDispatcher) -> None:
    """Where a class says what may be shown, nothing else is."""

    class Careful(Keeper):
        def format_status(self, parts: Any) -> Any:
            return {"items": len(self.data)}

    ref = Careful.start(dispatcher=turns)
    service = Service(show_state=True, control=False, count_messages=False)
    shown = service.handle(ActorRequest(ref.actor_urn))
    service.close()
    assert isinstance(shown, ActorDetail)
    assert shown.state == {"items": "0"}


def test_ties_restarts_and_last_reason(turns: ManualDispatcher, service: Service) -> None:
    """Of one actor: who supervises it, its links and monitors, and how its last life ended."""
    keys: dict[str, Any] = {"dispatcher": turns}
    app = Supervisor.start_link(
        [Worker.child_spec("a", id="a", **keys)], strategy="one_for_one", name="app", **keys
    )
    app.which_children()[0].ref.tell("crash")
    turns.run_until_idle()
    ref = app.which_children()[0].ref
    monitor = ref.monitor()
    answer = service.handle(ActorRequest(ref.actor_urn))
    assert isinstance(answer, ActorDetail)
    assert (answer.parent, answer.restarts) == ("app", 1)
    assert answer.last_reason == "Crashed(ValueError)"
    assert answer.monitored_by == ("outside",)
    assert answer.stack == ()
    monitor.cancel()
    assert app.stop()


def test_orders_are_refused_unless_allowed(turns: ManualDispatcher, service: Service) -> None:
    """Read only by default: the actor does not notice. With control it obeys."""
    ref = Worker.start("w", dispatcher=turns)
    for deed in Deed:
        answer = service.handle(Order(ref.actor_urn, deed))
        assert isinstance(answer, Refusal)
        assert "control=True" in answer.problem
    turns.run_until_idle()
    assert ref.is_alive()
    assert not introspect.get_status(ref).suspended
    free = Service(show_state=False, control=True, count_messages=False)
    assert free.handle(Order(ref.actor_urn, Deed.SUSPEND)) == Done()
    assert introspect.get_status(ref).suspended
    assert free.handle(Order(ref.actor_urn, Deed.RESUME)) == Done()
    assert not introspect.get_status(ref).suspended
    assert free.handle(Order(ref.actor_urn, Deed.STOP)) == Done()
    turns.run_until_idle()
    assert not ref.is_alive()
    assert isinstance(free.handle(Order(ref.actor_urn, Deed.STOP)), Refusal)
    assert isinstance(free.handle(ActorRequest(ref.actor_urn)), Refusal)
    free.close()


def test_log_holds_events_and_not_what_callers_asked_for(
    turns: ManualDispatcher, service: Service
) -> None:
    """Crashes and restarts come with their levels, newer ones only if so asked; no start does."""
    keys: dict[str, Any] = {"dispatcher": turns}
    app = Supervisor.start_link(
        [Worker.child_spec("a", id="a", **keys)], strategy="one_for_one", **keys
    )
    app.start_child(Worker.child_spec("b", id="b", **keys))
    app.which_children()[0].ref.tell("crash")
    turns.run_until_idle()
    entries = look(service).log
    events = [entry.event for entry in entries]
    assert "supervisors.actor.crashed" in events
    assert "supervisors.child.restarted" in events
    started = [entry.text for entry in entries if entry.event == "supervisors.child.started"]
    assert [text.split("child=")[1] for text in started] == ["a"]
    assert {entry.level for entry in entries} >= {"error", "info"}
    assert look(service, after=entries[-1].number).log == ()
    assert app.stop()


def test_log_is_bounded_and_ends_with_close(service: Service) -> None:
    """It holds the last 300, of bounded length, and after close() nobody listens."""
    event = ("supervisors", "actor", "abandoned")
    for number in range(400):
        telemetry.execute(event, {"count": 1}, {"actor": f"{number}-" + "x" * 10_000})
    log = look(service).log
    assert len(log) == 300
    assert log[-1].text.startswith("actor=399-")
    assert len(log[-1].text) <= 300
    service.close()
    telemetry.execute(event, {"count": 1}, {"actor": "late"})
    assert look(service).log[-1] == log[-1]


def test_a_large_crowd_is_cut(turns: ManualDispatcher, service: Service) -> None:
    """Of more than 100 children the first are shown, and how many are left out."""
    keys: dict[str, Any] = {"dispatcher": turns}
    specs = [Worker.child_spec("w", id=number, **keys) for number in range(130)]
    app = Supervisor.start_link(specs, strategy="one_for_one", name="crowded", **keys)
    [tree] = [tree for tree in look(service).system.trees if tree.label == "crowded"]
    assert len(tree.children) == 101
    assert tree.children[-1].label == "… and 30 more"
    assert app.stop()


def test_tables_of_others(service: Service) -> None:
    """What another package adds is shown; what fails is named, and the rest goes on."""

    def failing() -> Any:
        raise KeyError("secret")

    plugged.add_section("Good", {"name": "key", "n": "total"}, lambda: [("a", 1), (object, None)])
    plugged.add_section("Bad", {"name": "key"}, failing)
    plugged.add_section("Odd", {"name": "key"}, lambda: [("a", "b")])
    try:
        found = {section.title: section for section in look(service).sections}
    finally:
        for title in ("Good", "Bad", "Odd"):
            assert plugged.remove_section(title)
    assert found["Good"].rows == (("a", 1), ("<class 'object'>", None))
    assert (found["Bad"].rows, found["Bad"].error) == ((), "KeyError")
    assert (found["Odd"].rows, found["Odd"].error) == ((), "wrong row")
    assert "secret" not in str(found)
    with pytest.raises(ValueError, match="'nonsense'"):
        plugged.add_section("Worse", {"name": "nonsense"}, list)


def test_looks_are_shared_while_they_are_fresh(service: Service) -> None:
    """Asked again at once the same look is given; another order is looked up anew."""
    service._last = None
    first = look(service)
    assert service._last is not None
    request, _, kept = service._last
    service._last = (request, float("inf"), kept)
    assert look(service).clock == first.clock
    assert look(service, sort=Sort.MEMORY).clock != first.clock
