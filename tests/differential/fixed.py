"""The fixed list: for each scenario the contract items that it shows."""

from __future__ import annotations

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

ALL, ONE, REST = "one_for_all", "one_for_one", "rest_for_one"
KINDS = ("permanent", "transient", "temporary")
WHICH, COUNT = Look("which_children", "top"), Look("count_children", "top")

Listed = dict[str, tuple[Scenario, tuple[str, ...]]]


def crash(name: str) -> End:
    """The worker raises."""
    return End(name, "crash")


def ask(request: str, name: str, supervisor: str = "top") -> Ask:
    """A request to the top."""
    return Ask(request, supervisor, name)


def flat(strategy: str, intensity: int, *children: Child, steps: tuple[Step, ...]) -> Scenario:
    """A tree of one level."""
    return Scenario(Sup(strategy, intensity, children), steps)


def failing(*inits: str) -> Worker:
    """A worker whose inits end so."""
    return Worker(inits)


A, B, C, D = Child("a"), Child("b"), Child("c"), Child("d")
TEMPORARY_B = Child("b", "temporary")


def strategies() -> Listed:
    """Who is restarted with whom, and in which order."""
    late = (StartChild("top", D), crash("a"), WHICH)
    again = (
        ask("terminate_child", "b"),
        ask("restart_child", "b"),
        WHICH,
        crash("a"),
        WHICH,
    )
    stopped = (ask("terminate_child", "c"), End("d", "normal"), WHICH, crash("b"), WHICH)
    transient_d = Child("d", "transient")
    both = (EndTogether("top", (crash("a"), crash("c"))), WHICH, COUNT)
    return {
        "one_for_one": (flat(ONE, 3, A, B, C, steps=(crash("b"), WHICH)), ("S29", "S43")),
        "one_for_all": (flat(ALL, 3, A, B, C, steps=(crash("b"), WHICH)), ("S30", "S39")),
        "rest_for_one": (flat(REST, 3, A, B, C, steps=(crash("b"), WHICH)), ("S31", "S39")),
        "temporary bystander of one_for_all": (
            flat(ALL, 3, A, TEMPORARY_B, C, steps=(crash("c"), WHICH)),
            ("S32",),
        ),
        "temporary bystander of rest_for_one": (
            flat(REST, 3, A, TEMPORARY_B, C, steps=(crash("a"), WHICH)),
            ("S32",),
        ),
        "one_for_all starts stopped members": (
            flat(ALL, 3, A, B, C, transient_d, steps=stopped),
            ("S33",),
        ),
        "rest_for_one starts stopped members": (
            flat(REST, 3, A, B, C, transient_d, steps=stopped),
            ("S33",),
        ),
        "temporary crash moves no group": (
            flat(ALL, 0, A, TEMPORARY_B, C, steps=(crash("b"), WHICH)),
            ("S34", "S46"),
        ),
        "transient end moves no group": (
            flat(REST, 0, Child("a", "transient"), B, steps=(End("a", "normal"), WHICH)),
            ("S34", "S44"),
        ),
        "two deaths in one_for_all cost one": (flat(ALL, 1, A, B, C, steps=both), ("S35", "S62")),
        "two deaths in rest_for_one cost one": (flat(REST, 1, A, B, C, steps=both), ("S35", "S62")),
        "two deaths in one_for_one cost two": (flat(ONE, 1, A, B, C, steps=both), ("S35", "S52")),
        "a late child joins at the end": (flat(ALL, 3, A, B, steps=late), ("S37",)),
        "a late child of rest_for_one": (flat(REST, 3, A, B, steps=late), ("S37",)),
        "a child keeps its place": (flat(ALL, 3, A, B, C, steps=again), ("S38",)),
    }


def restart_types() -> Listed:
    """Restart type × end, in a static and in a dynamic supervisor."""
    items = {
        "permanent": {"normal": "S41", "shutdown": "S42", "shutdown_detail": "S42"},
        "transient": {"normal": "S44", "shutdown": "S44", "shutdown_detail": "S44"},
        "temporary": {},
    }
    rest = {"permanent": "S43", "transient": "S45", "temporary": "S46"}
    found: Listed = {}
    for kind in KINDS:
        for fault in FAULTS:
            marks = (items[kind].get(fault, rest[kind]), "S47")
            steps = (End("a", fault), WHICH, COUNT, End("a", fault), WHICH)
            child = Child("a", kind)
            found[f"{kind} {fault}"] = flat(ONE, 1, child, B, steps=steps), marks
            dynamic_steps = (
                StartDynamic("top", "a"),
                End("a", fault),
                WHICH,
                COUNT,
                ask("terminate_dynamic", "a"),
                COUNT,
            )
            found[f"dynamic {kind} {fault}"] = Scenario(Dynamic(1, kind), dynamic_steps), marks
    return found


def intensity() -> Listed:
    """How many restarts are too many."""
    inner = Child("inner", "permanent", Sup(ONE, 1, (Child("x"), Child("y"))))
    inner_failing = Sup(ONE, 0, (Child("x"), Child("y", body=failing("ok", "crash"))))
    slots = {
        kind: Scenario(
            Sup(ONE, 2, (A, Child("inner", kind, Sup(ONE, 0, (Child("x"),))))),
            (crash("x"), WHICH, COUNT, crash("x"), WHICH),
        )
        for kind in KINDS
    }
    manual = (
        StartChild("top", Child("d", body=failing("crash"))),
        StartChild("top", C),
        ask("terminate_child", "c"),
        ask("restart_child", "c"),
        ask("terminate_child", "b"),
        ask("restart_child", "b"),
        ask("restart_child", "b"),
        WHICH,
    )
    return {
        "intensity 0": (flat(ONE, 0, A, B, steps=(crash("a"), WHICH)), ("S53", "S56", "S57")),
        "intensity 1": (flat(ONE, 1, A, B, steps=(crash("a"), crash("a"))), ("S52", "S57")),
        "intensity 3": (
            flat(ALL, 3, A, B, steps=(crash("a"), crash("b"), crash("a"), crash("b"), WHICH)),
            ("S52", "S57", "S62"),
        ),
        "one window for all children": (
            flat(ONE, 2, A, B, C, steps=(crash("a"), crash("b"), crash("c"))),
            ("S54", "S57"),
        ),
        "every attempt counts": (
            flat(ONE, 4, A, Child("b", body=failing("ok", *["crash"] * 9)), C, steps=(crash("b"),)),
            ("S55", "S56", "S66"),
        ),
        "escalation through two levels": (
            Scenario(
                Sup(ONE, 1, (A, inner, C)),
                (crash("x"), crash("y"), WHICH, crash("x"), crash("y"), WHICH),
            ),
            ("S49", "S60"),
        ),
        "an inner supervisor that does not come up": (
            Scenario(Sup(ONE, 2, (A, Child("inner", body=inner_failing))), (crash("x"), WHICH)),
            ("S60", "S73"),
        ),
        "manual actions cost nothing": (
            flat(ONE, 0, A, Child("b", body=failing("ok", "crash")), steps=manual),
            ("S61", "S95"),
        ),
        "temporary children cost nothing": (
            flat(ONE, 0, A, TEMPORARY_B, steps=(crash("b"), StartChild("top", TEMPORARY_B))),
            ("S63",),
        ),
        **{f"given up in a {kind} slot": (slots[kind], ("S49",)) for kind in KINDS},
    }


def starting() -> Listed:
    """Starts that do not go well."""
    return {
        "start-up is rolled back": (
            flat(ONE, 3, A, B, Child("c", body=failing("crash")), D, steps=()),
            ("S64", "S65"),
        ),
        "start-up refused with a reason": (
            flat(ALL, 3, A, Child("b", body=failing("stop")), steps=()),
            ("S64", "S65"),
        ),
        "an inner start-up is rolled back": (
            Scenario(
                Sup(
                    ONE, 3, (A, Child("i", body=Sup(ALL, 1, (B, Child("c", body=failing("stop"))))))
                )
            ),
            ("S64", "S73"),
        ),
        "ignoring children at start-up": (
            flat(
                ONE,
                3,
                Child("a", body=failing("ignore")),
                Child("b", "temporary", failing("ignore")),
                C,
                steps=(WHICH, COUNT, ask("restart_child", "a"), WHICH),
            ),
            ("S71",),
        ),
    }


def restarting() -> Listed:
    """Restarts that fail or are ignored."""
    retry = ("ok", "crash", "stop")
    return {
        "a restart fails twice": (
            flat(ONE, 3, A, Child("b", body=failing(*retry)), C, steps=(crash("b"), WHICH)),
            ("S66", "S55"),
        ),
        "a restart fails in one_for_all": (
            flat(ALL, 5, A, Child("b", body=failing(*retry)), C, steps=(crash("c"), WHICH)),
            ("S68",),
        ),
        "the last restart fails in one_for_all": (
            flat(ALL, 5, A, B, Child("c", body=failing(*retry)), steps=(crash("a"), WHICH)),
            ("S68",),
        ),
        "a restart fails in rest_for_one": (
            flat(REST, 5, A, B, Child("c", body=failing(*retry)), D, steps=(crash("b"), WHICH)),
            ("S69",),
        ),
        "a group restart gives up half-way": (
            flat(ALL, 1, A, B, Child("c", body=failing("ok", *["crash"] * 5)), steps=(crash("a"),)),
            ("S57", "S68"),
        ),
        "a restart is ignored": (
            flat(
                ONE,
                3,
                Child("a", body=failing("ok", "ignore")),
                steps=(crash("a"), WHICH, COUNT, ask("restart_child", "a")),
            ),
            ("S70", "S98"),
        ),
        "a group restart is ignored by one": (
            flat(ALL, 3, A, Child("b", body=failing("ok", "ignore")), C, steps=(crash("c"), WHICH)),
            ("S70",),
        ),
        "a dynamic restart fails, then succeeds": (
            Scenario(
                Dynamic(4),
                (StartDynamic("top", "d1", ("ok", "crash", "stop")), crash("d1"), WHICH, COUNT),
            ),
            ("S66", "S114"),
        ),
    }


def start_requests() -> Listed:
    """Answers of start_child and restart_child."""
    bad_d = Child("d", body=failing("crash", "stop"))
    return {
        "start_child": (
            flat(
                ONE,
                0,
                A,
                steps=(
                    StartChild("top", B),
                    StartChild("top", B),
                    ask("terminate_child", "b"),
                    StartChild("top", B),
                    StartChild("top", bad_d),
                    StartChild("top", bad_d),
                    StartChild("top", bad_d),
                    WHICH,
                    COUNT,
                ),
            ),
            ("S37", "S90", "S91", "S97"),
        ),
        "start_child ignored": (
            flat(
                ONE,
                0,
                A,
                steps=(
                    StartChild("top", Child("b", body=failing("ignore"))),
                    StartChild("top", Child("c", "temporary", failing("ignore"))),
                    StartChild("top", Child("b")),
                    WHICH,
                    ask("restart_child", "b"),
                    ask("restart_child", "c"),
                ),
            ),
            ("S92",),
        ),
        "restart_child": (
            flat(
                ONE,
                0,
                Child("a", body=failing("ok", "crash", "ignore")),
                steps=(
                    ask("restart_child", "a"),
                    ask("terminate_child", "a"),
                    ask("restart_child", "a"),
                    ask("restart_child", "a"),
                    ask("restart_child", "a"),
                    ask("restart_child", "z"),
                    WHICH,
                ),
            ),
            ("S94", "S95"),
        ),
    }


def stop_requests() -> Listed:
    """Answers of terminate_child and delete_child."""
    return {
        "terminate_child": (
            flat(
                ONE,
                0,
                A,
                TEMPORARY_B,
                Child("c", shutdown="brutal_kill"),
                steps=(
                    ask("terminate_child", "a"),
                    ask("terminate_child", "a"),
                    ask("terminate_child", "b"),
                    ask("terminate_child", "b"),
                    ask("terminate_child", "c"),
                    ask("terminate_child", "z"),
                    WHICH,
                ),
            ),
            ("S78", "S93"),
        ),
        "delete_child": (
            flat(
                ALL,
                0,
                A,
                B,
                steps=(
                    ask("delete_child", "a"),
                    ask("terminate_child", "a"),
                    ask("delete_child", "a"),
                    ask("delete_child", "a"),
                    StartChild("top", A),
                    WHICH,
                ),
            ),
            ("S96",),
        ),
    }


def looks() -> Listed:
    """What a supervisor tells of its children; and a dynamic one's answers."""
    return {
        "get_childspec": (
            Scenario(
                Sup(ONE, 0, (A, Child("b", "temporary", Sup(ONE, 1)), Child("c", "transient"))),
                tuple(ask("get_childspec", name) for name in "abcz"),
            ),
            ("S1", "S2", "S16"),
        ),
        "counts": (
            Scenario(
                Sup(ONE, 1, (A, Child("i", body=Sup(ONE, 1, (B,))), Child("d", body=Dynamic(1)))),
                (COUNT, ask("terminate_child", "i"), COUNT, WHICH, Look("count_children", "i")),
            ),
            ("S97", "S98", "S117"),
        ),
        "a dynamic supervisor": (
            Scenario(
                Dynamic(1, "transient"),
                (
                    StartDynamic("top", "d1"),
                    StartDynamic("top", "d2", ("ignore",)),
                    StartDynamic("top", "d3", ("crash",)),
                    StartDynamic("top", "d4", ("stop",)),
                    StartDynamic("top", "d5"),
                    COUNT,
                    ask("terminate_dynamic", "d1"),
                    ask("terminate_dynamic", "d1"),
                    ask("restart_child", "d1"),
                    ask("delete_child", "d1"),
                    End("d5", "normal"),
                    COUNT,
                    WHICH,
                ),
            ),
            ("S110", "S111", "S112", "S113"),
        ),
    }


def significant() -> Listed:
    """Supervisors that end with their children."""

    def tree(mode: str, *children: Child, steps: tuple[Step, ...]) -> Scenario:
        return Scenario(Sup(ONE, 1, children, mode), steps)

    t, x = Child("t", "transient", significant=True), Child("x", "temporary", significant=True)
    first, last = "any_significant", "all_significant"
    inner = Sup(ONE, 1, (t, B), first)
    slots = {
        kind: Scenario(
            Sup(ONE, 1, (A, Child("inner", kind, inner, significant=kind == "transient")), first),
            (End("t", "normal"), WHICH),
        )
        for kind in KINDS
    }
    return {
        "the first significant end": (
            tree(first, A, t, x, B, steps=(End("t", "normal"), WHICH)),
            ("S23",),
        ),
        "the last significant end": (
            tree(last, A, t, x, B, steps=(End("t", "shutdown"), WHICH, crash("x"), WHICH)),
            ("S24",),
        ),
        "a significant transient crash": (
            tree(first, A, t, B, steps=(crash("t"), WHICH, End("t", "shutdown_detail"))),
            ("S25",),
        ),
        "a significant temporary crash": (
            tree(first, A, x, B, steps=(crash("x"), WHICH)),
            ("S25",),
        ),
        "significant children stopped by request": (
            tree(
                last,
                A,
                t,
                x,
                steps=(ask("terminate_child", "t"), ask("terminate_child", "x"), WHICH),
            ),
            ("S26",),
        ),
        "a significant bystander": (
            Scenario(Sup(ALL, 1, (A, t, x), first), (crash("a"), WHICH)),
            ("S26",),
        ),
        **{f"auto-shutdown in a {kind} slot": (slots[kind], ("S27", "S49")) for kind in KINDS},
        "other children end": (
            tree(
                first,
                Child("a", "temporary"),
                Child("b", "transient"),
                t,
                steps=(crash("a"), End("b", "normal"), WHICH),
            ),
            ("S28",),
        ),
    }


def refused() -> Listed:
    """Specifications and options that start nothing."""
    significant_child = Child("a", "transient", significant=True)
    return {
        "two children with one id": (flat(ONE, 1, A, B, A, steps=()), ("S10",)),
        "an unknown strategy": (flat("one_for_some", 1, A, steps=()), ("S18",)),
        "a negative intensity": (flat(ONE, -1, A, steps=()), ("S18",)),
        "an unknown auto_shutdown": (Scenario(Sup(ONE, 1, (A,), "sometimes")), ("S18",)),
        "significant without auto_shutdown": (flat(ONE, 1, significant_child, steps=()), ("S9",)),
        "significant and permanent": (
            Scenario(Sup(ONE, 1, (Child("a", significant=True),), "any_significant")),
            ("S9",),
        ),
        "significant added without auto_shutdown": (
            flat(ONE, 1, B, steps=(StartChild("top", significant_child), WHICH)),
            ("S9",),
        ),
    }


def fixed() -> Listed:
    """Returns the whole list: name → scenario and the contract items that it shows."""
    return {
        **strategies(),
        **restart_types(),
        **intensity(),
        **starting(),
        **restarting(),
        **start_requests(),
        **stop_requests(),
        **looks(),
        **significant(),
        **refused(),
    }
