"""Registries of both kinds, with actors that live and die, against a list of entries."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from supervisors import ANY, AlreadyRegisteredError, GenServer, Killed, NoProcError, Registry
from supervisors.testing import ManualDispatcher

KEYS = st.sampled_from(["a", "b", 1, 1.0])
VALUES = st.sampled_from([("u", 1), ("u", 2), ("v", 1)])
WHO = st.integers(0, 2)
PATTERNS = st.sampled_from([ANY, ("u", ANY), (ANY, 1), ("v", 1), ("u", 3)])


class _Unique(RuleBasedStateMachine):
    """A registry of unique keys."""

    keys = "unique"

    def __init__(self) -> None:
        super().__init__()
        self.turns = ManualDispatcher()
        self.registry: Any = Registry.start(keys=self.keys, dispatcher=self.turns)
        self.refs: list[Any] = [self.new() for _ in range(3)]
        # What is registered: (key, ref, value), oldest first.
        self.model: list[tuple[Any, Any, Any]] = []

    def new(self) -> Any:
        """Starts an actor."""
        return GenServer.start(dispatcher=self.turns)

    def under(self, key: Any) -> list[tuple[Any, Any]]:
        """Returns (ref, value) of a key, strictly."""
        return [(ref, value) for name, ref, value in self.model if repr(name) == repr(key)]

    @rule(key=KEYS, who=WHO, value=VALUES)
    def register(self, key: Any, who: int, value: Any) -> None:
        """A held key is refused where keys are unique, and nothing changes by that."""
        ref, held = self.refs[who], self.under(key)
        if self.keys == "unique" and held:
            with pytest.raises(AlreadyRegisteredError) as caught:
                self.registry.register(key, value, owner=ref)
            assert caught.value.ref is held[0][0]
        else:
            self.registry.register(key, value, owner=ref)
            self.model.append((key, ref, value))

    @rule(key=KEYS, who=WHO)
    def unregister(self, key: Any, who: int) -> None:
        """All of the owner's entries go from the key."""
        self.registry.unregister(key, owner=self.refs[who])
        mine = (repr(key), self.refs[who])
        self.model = [entry for entry in self.model if (repr(entry[0]), entry[1]) != mine]

    @rule(key=KEYS, who=WHO, pattern=PATTERNS, least=st.integers(0, 2))
    def unregister_match(self, key: Any, who: int, pattern: Any, least: int) -> None:
        """What match finds of the owner goes, as many as are told, and nothing else."""
        ref = self.refs[who]

        def where(value: Any) -> bool:
            return bool(value[1] >= least)

        found = [
            (key, holder, value)
            for holder, value in self.registry.match(key, pattern, where=where)
            if holder is ref
        ]
        count = self.registry.unregister_match(key, pattern, where=where, owner=ref)
        assert count == len(found)
        self.model = [entry for entry in self.model if repr(entry) not in set(map(repr, found))]

    @rule(who=WHO, killed=st.booleans())
    def die(self, who: int, killed: bool) -> None:
        """An actor ends, and another one takes its part."""
        ref, self.refs[who] = self.refs[who], self.new()
        if killed:
            ref.exit(Killed())
        else:
            ref.stop()
        self.turns.run_until_idle()
        self.model = [entry for entry in self.model if entry[1] is not ref]
        with pytest.raises(NoProcError):
            self.registry.register("a", owner=ref)

    @rule(key=KEYS, pattern=PATTERNS)
    def search(self, key: Any, pattern: Any) -> None:
        """Searches and their counts agree with one another and with the list."""
        registry = self.registry
        found = registry.match(key, pattern)
        assert registry.count_match(key, pattern) == len(found)
        everywhere = registry.select(value=pattern)
        assert registry.count_select(value=pattern) == len(everywhere)
        strictly = [entry for entry in everywhere if repr(entry[0]) == repr(key)]
        assert [entry[1:] for entry in strictly] == found
        assert registry.select(key=key, value=pattern) == strictly

    @invariant()
    def agrees(self) -> None:
        """Every read is the list's, and exactly the holders are linked to the registry."""
        registry = self.registry
        assert registry.entries() == self.model
        assert registry.count() == len(self.model)
        for key in ("a", "b", 1, 1.0):
            assert registry.lookup(key) == self.under(key)
        for ref in self.refs:
            assert registry.keys(ref) == [key for key, holder, _ in self.model if holder is ref]
        holders = {ref.process for _, ref, _ in self.model}
        assert set(registry.process._links) == holders

    def teardown(self) -> None:
        """Ends everybody: the registrants end with the registry."""
        self.registry.stop()
        self.turns.run_until_idle()
        assert not any(ref.is_alive() for _, ref, _ in self.model)
        for ref in self.refs:
            ref.stop()


class _Duplicate(_Unique):
    """A registry of duplicate keys."""

    keys = "duplicate"


SHOWN = ("S131", "S134", "S137", "S138", "S141", "S143", "S144")
TestUnique = pytest.mark.contract(*SHOWN)(_Unique.TestCase)
TestDuplicate = pytest.mark.contract("S132", *SHOWN[1:])(_Duplicate.TestCase)
for case in (TestUnique, TestDuplicate):
    case.settings = settings(deadline=None, max_examples=40, stateful_step_count=30)
