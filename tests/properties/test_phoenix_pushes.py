"""The table of pushes against a plain list."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from phoenix_actors.machines.push import PendingPush, PendingPushes

topics = st.sampled_from(["a", "b", "c"])
join_refs = st.sampled_from(["1", "2"])


class Pushes(RuleBasedStateMachine):
    """Whatever is done, the table holds what a list would."""

    def __init__(self) -> None:
        super().__init__()
        self.table = PendingPushes()
        self.model: list[PendingPush] = []
        self.refs: list[str] = []
        self.now = 0.0

    @rule(
        topic=topics,
        join_ref=join_refs,
        timeout=st.one_of(st.none(), st.integers(0, 5)),
        at_once=st.booleans(),
    )
    def add(self, topic: str, join_ref: str, timeout: int | None, at_once: bool) -> None:
        deadline = None if timeout is None else self.now + timeout
        if at_once:
            push = self.table.enter(topic, join_ref, "e", None, deadline, timeout)
        else:
            push = PendingPush(topic, self.table.next_ref(), join_ref, "e", None, deadline)
            self.table.add(push)
        self.refs.append(push.ref)
        self.model.append(push)

    @rule(topic=topics, join_ref=st.one_of(st.none(), join_refs), data=st.data())
    def resolve(self, topic: str, join_ref: str | None, data: st.DataObject) -> None:
        ref = data.draw(st.sampled_from([*self.refs, "none"]))
        matching = [
            push
            for push in self.model
            if (push.topic, push.ref) == (topic, ref) and join_ref in (None, push.join_ref)
        ]
        unmatched = self.table.unmatched
        found = self.table.resolve(topic, ref, join_ref)
        assert ([] if found is None else [found]) == matching
        assert self.table.unmatched == unmatched + (not matching)
        self.model = [push for push in self.model if push not in matching]

    @rule(seconds=st.integers(0, 3))
    def expire(self, seconds: int) -> None:
        self.now += seconds
        over = [push for push in self.model if push.deadline is not None]
        over = [push for push in over if (push.deadline or 0.0) <= self.now]
        expired = self.table.expire(self.now)
        assert sorted(expired, key=id) == sorted(over, key=id)
        deadlines = [push.deadline or 0.0 for push in expired]
        assert deadlines == sorted(deadlines)
        self.model = [push for push in self.model if push not in over]

    @rule(topic=topics, join_ref=join_refs)
    def take_join(self, topic: str, join_ref: str) -> None:
        taken = [p for p in self.model if (p.topic, p.join_ref) == (topic, join_ref)]
        assert self.table.take_join(topic, join_ref) == taken
        self.model = [push for push in self.model if push not in taken]

    @invariant()
    def agrees(self) -> None:
        """Size, next deadline and refs are those of the list."""
        assert len(self.table) == len(self.model)
        deadlines = [push.deadline for push in self.model if push.deadline is not None]
        assert self.table.next_deadline() == min(deadlines, default=None)
        assert self.refs == [str(number) for number in range(1, len(self.refs) + 1)]


TestPushes = pytest.mark.contract("C41", "C48", "C49")(Pushes.TestCase)
TestPushes.settings = settings(deadline=None, stateful_step_count=40)
