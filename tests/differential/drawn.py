"""Random scenarios, drawn by hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.differential.scenario import (
    FAULTS,
    Ask,
    Child,
    Dynamic,
    End,
    EndTogether,
    Look,
    Scenario,
    StartChild,
    StartDynamic,
    Step,
    Sup,
    Worker,
)

KINDS = ("permanent", "transient", "temporary")
STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
MODES = ("never", "any_significant", "all_significant")
FRESH = ("new1", "new2")
CROWD = ("d1", "d2", "d3")

Draw = Any

# How the first init ends: mostly well, or nothing much happens afterwards.
first_init = st.sampled_from(("ok",) * 12 + ("ignore", "crash", "stop"))
later_init = st.sampled_from(("ok", "ok", "crash", "stop", "ignore"))
inits = st.tuples(first_init, st.lists(later_init, max_size=3)).map(lambda it: (it[0], *it[1]))
# OTP 25 keeps an ignored restart of a dynamic supervisor as a child without a process; later
# versions, Elixir and this package drop it (S70).
crowd_inits = inits.map(
    lambda it: (it[0], *("ok" if init == "ignore" else init for init in it[1:]))
)
intensities = st.integers(0, 4)


class Names:
    """Who is in the tree, to be named by the steps."""

    def __init__(self) -> None:
        self.count = 0
        self.children: dict[str, list[str]] = {}
        self.crowds: list[str] = []
        self.workers: list[str] = []

    def fresh(self, letter: str) -> str:
        """Returns a name that nobody has."""
        self.count += 1
        return f"{letter}{self.count}"


@st.composite
def scenarios(draw: Draw) -> Scenario:
    """A tree of up to three levels and up to 12 steps."""
    names = Names()
    if draw(st.integers(0, 4)) == 0:
        top: Sup | Dynamic = Dynamic(draw(intensities), draw(st.sampled_from(KINDS)))
        names.crowds.append("top")
    else:
        top = draw_sup(draw, names, "top", depth=2)
    steps = [draw_step(draw, names) for _ in range(draw(st.integers(1, 12)))]
    return Scenario(top, tuple(steps))


def draw_sup(draw: Draw, names: Names, name: str, depth: int) -> Sup:
    """A static supervisor."""
    mode = draw(st.sampled_from(MODES))
    names.children[name] = []
    children = [draw_child(draw, names, name, mode, depth) for _ in range(draw(st.integers(1, 4)))]
    return Sup(draw(st.sampled_from(STRATEGIES)), draw(intensities), tuple(children), mode)


def draw_child(draw: Draw, names: Names, parent: str, mode: str, depth: int) -> Child:
    """A child of any kind."""
    restart = draw(st.sampled_from(KINDS))
    significant = mode != "never" and restart != "permanent" and draw(st.booleans())
    kind = draw(st.integers(0, 5)) if depth else 5
    body: Worker | Sup | Dynamic
    if kind == 0:
        name = names.fresh("s")
        body = draw_sup(draw, names, name, depth - 1)
    elif kind == 1:
        name = names.fresh("m")
        body = Dynamic(draw(intensities), draw(st.sampled_from(KINDS)))
        names.crowds.append(name)
    else:
        name = names.fresh("w")
        body = Worker(draw(inits))
        names.workers.append(name)
    names.children[parent].append(name)
    shutdown = draw(st.sampled_from(("default",) * 5 + ("brutal_kill",)))
    if not isinstance(body, Worker):
        # A supervisor that is killed stops its children while its parent goes on: in any order.
        shutdown = "default"
    return Child(name, restart, body, significant, shutdown)


def draw_step(draw: Draw, names: Names) -> Step:
    """A fault more often than a request."""
    statics, workers = list(names.children), [*names.workers, *CROWD, *FRESH]
    kinds = ["end"] * 5 + ["together", "start", "ask", "ask", "look"] * bool(statics)
    kinds += ["crowd", "crowd"] * bool(names.crowds)
    faults, somebody = st.sampled_from(FAULTS), st.sampled_from(workers)
    match draw(st.sampled_from(kinds)):
        case "end":
            return End(draw(somebody), draw(faults))
        case "together":
            # Only workers of the held supervisor: others would be restarted meanwhile.
            parent = draw(st.sampled_from(statics))
            own = [name for name in names.children[parent] if name in names.workers]
            pair = draw(st.lists(st.sampled_from(own), min_size=2, max_size=2)) if own else []
            return EndTogether(parent, tuple(End(name, draw(faults)) for name in pair))
        case "start":
            return draw_start(draw, names)
        case "ask":
            parent = draw(st.sampled_from(statics))
            requests = ("terminate_child", "restart_child", "delete_child", "get_childspec")
            known = st.sampled_from([*names.children[parent], *FRESH, "nobody"])
            return Ask(draw(st.sampled_from(requests)), parent, draw(known))
        case "look":
            look = draw(st.sampled_from(("which_children", "count_children")))
            return Look(look, draw(st.sampled_from([*statics, *names.crowds])))
        case _:
            crowd, name = draw(st.sampled_from(names.crowds)), draw(st.sampled_from(CROWD))
            if draw(st.integers(0, 2)):
                # A name of its own for each supervisor and each start.
                fresh = names.fresh("d")
                names.workers.append(fresh)
                return StartDynamic(crowd, fresh, draw(crowd_inits))
            return Ask("terminate_dynamic", crowd, name)


def draw_start(draw: Draw, names: Names) -> StartChild:
    """start_child with a new name, or with one that is there."""
    parent = draw(st.sampled_from(list(names.children)))
    if draw(st.integers(0, 2)) == 0:
        # Of any kind, a whole tree too; significant where that may have to be refused.
        mode = draw(st.sampled_from(MODES))
        return StartChild(parent, draw_child(draw, names, parent, mode, depth=1))
    name = draw(st.sampled_from([*FRESH, *names.children[parent]]))
    restart = draw(st.sampled_from(KINDS))
    return StartChild(parent, Child(name, restart, Worker(draw(inits))))
