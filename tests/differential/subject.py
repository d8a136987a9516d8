"""The same scenarios on `supervisors`, with the same event log as OTP's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from supervisors import (
    BRUTAL_KILL,
    IGNORE,
    RESTARTING,
    ActorError,
    ActorRef,
    AlreadyPresentError,
    AlreadyStartedError,
    ChildCounts,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
    ChildSpec,
    ChildSpecError,
    DynamicSupervisor,
    DynamicSupervisorRef,
    FailedToStartChild,
    GaveUp,
    GenServer,
    Killed,
    NoProcError,
    Normal,
    Shutdown,
    StartError,
    Stop,
    Supervisor,
    SupervisorRef,
    SupervisorSpec,
    UnsupportedRequestError,
)
from supervisors._runtime.process import Process
from supervisors.testing import ManualDispatcher
from tests.differential.scenario import (
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

PERIOD = 3600.0
DEADLINE = 20.0


class World:
    """What happened in one scenario, and who is where."""

    def __init__(self, dispatcher: Any) -> None:
        self.dispatcher = dispatcher
        self.log: list[str] = []
        self.refs: dict[str, ActorRef] = {}
        self.starts: dict[str, int] = {}
        self.supervisors: list[SupervisorRef] = []


class Actor(GenServer):
    """A worker of a scenario."""

    trap_exit = True

    def init(self, world: World, name: str, inits: tuple[str, ...]) -> Any:
        """Ends as the scenario says."""
        self.world, self.name = world, name
        number = world.starts.get(name, 0)
        world.starts[name] = number + 1
        world.log.append(f"init {name}")
        match inits[number] if number < len(inits) else "ok":
            case "ignore":
                return IGNORE
            case "crash":
                raise RuntimeError("boom")
            case "stop":
                return Stop(Shutdown("refused"))
        world.refs[name] = self.actor_ref
        return None

    def handle_cast(self, message: str) -> Any:
        """Ends as told."""
        match message:
            case "normal":
                return Stop(Normal())
            case "shutdown":
                return Stop(Shutdown())
            case "shutdown_detail":
                return Stop(Shutdown("detail"))
        raise RuntimeError("boom")

    def handle_info(self, message: object) -> None:
        """Takes exits of others in silence."""

    def terminate(self, reason: object) -> None:
        """Notes the end."""
        self.world.log.append(f"terminate {self.name} {word(reason)}")


class Tree(Supervisor):
    """A static supervisor of a scenario."""

    def init(self, world: World, name: str, body: Sup) -> SupervisorSpec:
        """Notes the start."""
        note_supervisor(self, world, name)
        return static(world, body)


class Crowd(DynamicSupervisor):
    """A dynamic supervisor of a scenario; `world` and `name` come with a class of its own."""

    world: World
    name: str
    body: Dynamic

    def _otp_plan(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        note_supervisor(self, self.world, self.name)
        return super()._otp_plan(args, kwargs)


def note_supervisor(actor: Any, world: World, name: str) -> None:
    """Notes the start of a supervisor."""
    world.log.append(f"init {name}")
    world.refs[name] = actor.actor_ref
    world.supervisors.append(actor.actor_ref)


def static(world: World, body: Sup) -> SupervisorSpec:
    """Returns the rules and children of a static supervisor."""
    return SupervisorSpec(
        [spec(world, child) for child in body.children],
        strategy=body.strategy,
        max_restarts=body.intensity,
        max_seconds=PERIOD,
        auto_shutdown=body.auto_shutdown,
    )


def crowd(world: World, name: str, body: Dynamic) -> type[Crowd]:
    """Returns a class of its own for a dynamic supervisor."""
    return type("Crowd", (Crowd,), {"world": world, "name": name, "body": body})


def rules(world: World, body: Dynamic) -> dict[str, Any]:
    """Returns the options of a dynamic supervisor; start_child appends name and inits."""
    template = Actor.child_spec(world, restart=body.restart, dispatcher=world.dispatcher)
    return {"max_restarts": body.intensity, "max_seconds": PERIOD, "template": template}


def spec(world: World, child: Child) -> ChildSpec:
    """Returns the specification of a child."""
    keys: dict[str, Any] = {"id": child.name, "restart": child.restart}
    keys |= {"significant": child.significant, "dispatcher": world.dispatcher}
    if child.shutdown == "brutal_kill":
        keys["shutdown"] = BRUTAL_KILL
    match child.body:
        case Worker(inits):
            return Actor.child_spec(world, child.name, inits, **keys)
        case Sup():
            return Tree.child_spec(world, child.name, child.body, **keys)
        case Dynamic():
            return crowd(world, child.name, child.body).child_spec(
                **rules(world, child.body), **keys
            )


def run(scenario: Scenario, dispatcher: Any) -> list[str]:
    """Returns the event log of `supervisors`, with the actors run by this dispatcher."""
    world = World(dispatcher)
    try:
        return play(world, scenario)
    finally:
        # Cut short, it leaves nobody behind.
        for ref in reversed(world.supervisors):
            ref.exit(Killed())


def play(world: World, scenario: Scenario) -> list[str]:
    """Starts the tree, takes each step, and stops what is left."""
    try:
        top = start_top(world, scenario.top)
    except (StartError, ChildSpecError) as error:
        world.log.append(f"start {failure(error)}")
        return world.log
    world.log.append("start ok")
    monitor = top.monitor()
    down = False
    for step in scenario.steps:
        perform(world, step)
        rest(world)
        if not down and not top.is_alive():
            down = True
            world.log.append(f"down {word(monitor.wait(DEADLINE).reason)}")
    if not down:
        top.stop(Shutdown(), timeout=DEADLINE)
        world.log.append(f"down {word(monitor.wait(DEADLINE).reason)}")
    return world.log


def start_top(world: World, body: Sup | Dynamic) -> SupervisorRef:
    """Starts the tree."""
    top: SupervisorRef
    if isinstance(body, Sup):
        # Checked in the caller, as the children of a list are.
        static(world, body)
        top = Tree.start(world, "top", body, dispatcher=world.dispatcher)
    else:
        top = crowd(world, "top", body).start(**rules(world, body), dispatcher=world.dispatcher)
    return top


# ---- steps -------------------------------------------------------------------------------------


def perform(world: World, step: Step) -> None:
    """Does one step and logs its answer."""
    match step:
        case End():
            finish(world, step)
        case EndTogether(supervisor, ends):
            process = living(world, supervisor)
            if process is None:
                world.log.append("not running")
            else:
                with held(process):
                    for end in ends:
                        finish(world, end)
        case StartChild(supervisor, child):
            request(world, supervisor, lambda ref: ref.start_child(spec(world, child)), "ok none")
        case StartDynamic(supervisor, name, inits):
            request(world, supervisor, lambda ref: start_dynamic(ref, name, inits), "ok none")
        case Ask("terminate_dynamic", supervisor, name):
            target = world.refs.get(name)
            if target is None:
                world.log.append("not running")
            else:
                request(world, supervisor, lambda ref: terminate_dynamic(ref, target), "ok")
        case Ask(verb, supervisor, name):
            nothing = "ok none" if verb == "restart_child" else "ok"
            request(world, supervisor, lambda ref: getattr(ref, verb)(name), nothing)
        case Look(verb, supervisor):
            request(world, supervisor, lambda ref: look(ref, verb), "ok")


def terminate_dynamic(ref: SupervisorRef, target: ActorRef) -> None:
    """Stops a child by reference; OTP answers ok for any process that is dead."""
    try:
        ref.terminate_child(target)
    except ChildNotFoundError:
        if target.is_alive():
            raise


def look(ref: SupervisorRef, verb: str) -> Any:
    """Returns the answer, where OTP counts the one template of a dynamic supervisor as specs."""
    value = getattr(ref, verb)()
    if isinstance(value, ChildCounts) and issubclass(ref.actor_class, DynamicSupervisor):
        value = msgspec.structs.replace(value, specs=1)
    return value


def start_dynamic(ref: SupervisorRef, name: str, inits: tuple[str, ...]) -> Any:
    """Starts a child of a dynamic supervisor, of the template that all its children have."""
    assert isinstance(ref, DynamicSupervisorRef)
    return ref.start_child(args=(name, inits))


def living(world: World, name: str) -> Process | None:
    """Returns the process of this name if it lives."""
    ref = world.refs.get(name)
    return None if ref is None or not ref.is_alive() else ref.process


def finish(world: World, end: End) -> None:
    """Lets a worker end, and waits for it."""
    ref = world.refs.get(end.name)
    if ref is None or not ref.is_alive():
        world.log.append("not running")
        return
    monitor = ref.monitor()
    if end.fault == "kill":
        ref.exit(Killed())
    else:
        ref.cast(end.fault)
    monitor.wait(DEADLINE)


@contextmanager
def held(process: Process) -> Iterator[None]:
    """In the block the process gets no turn."""
    mailbox, given_up = process.mailbox, time.monotonic() + DEADLINE
    while not mailbox.take_slot():
        if time.monotonic() > given_up:
            raise TimeoutError("the supervisor is never idle")
        time.sleep(0.0001)
    yield
    if mailbox.give_back_slot() and process.dispatcher is not None:
        process.dispatcher.schedule(process)


def request(
    world: World, supervisor: str, ask: Callable[[SupervisorRef], Any], nothing: str
) -> None:
    """Asks a supervisor and logs the answer; `nothing` is what None stands for."""
    ref: Any = world.refs.get(supervisor)
    if ref is None or not ref.is_alive():
        world.log.append("answer noproc")
        return
    try:
        value = ask(ref)
    except ActorError as error:
        said = failure(error)
    else:
        said = nothing if value is None else answer(value)
    world.log.append(f"answer {said}")


# ---- coming to rest ----------------------------------------------------------------------------


def rest(world: World) -> None:
    """Returns when nothing moves any more."""
    if isinstance(world.dispatcher, ManualDispatcher):
        world.dispatcher.run_until_idle()
        return
    pause = threading.Event()
    end = time.monotonic() + DEADLINE
    before = -1
    while True:
        is_calm = all(calm(ref) for ref in world.supervisors if ref.is_alive())
        count = len(world.log)
        if is_calm and count == before:
            return
        if time.monotonic() > end:
            raise TimeoutError(f"no rest after {world.log}")
        before = count if is_calm else -1
        pause.wait(0.001)


def calm(ref: SupervisorRef) -> bool:
    """Tells whether the supervisor has heard of every end and waits for no start."""
    try:
        children = ref.which_children()
    except NoProcError:
        return False
    return all(
        child.ref is None or (child.ref is not RESTARTING and child.ref.is_alive())
        for child in children
    )


# ---- words -------------------------------------------------------------------------------------

REFUSALS = {
    AlreadyPresentError: "already_present",
    ChildNotFoundError: "not_found",
    ChildRestartingError: "restarting",
    ChildRunningError: "running",
    NoProcError: "noproc",
    UnsupportedRequestError: "unsupported",
}


def word(reason: object) -> str:
    """Returns OTP's word for a reason."""
    match reason:
        case Normal():
            return "normal"
        case Shutdown(None) | GaveUp():
            return "shutdown"
        case Shutdown(FailedToStartChild(child_id, cause)):
            return f"failed({child_id}, {word(cause)})"
        case Shutdown():
            return "shutdown_detail"
        case Killed():
            return "killed"
    return "crash"


def failure(error: Exception) -> str:
    """Returns OTP's word for a refusal."""
    match error:
        case AlreadyStartedError():
            return "already_started"
        case StartError(reason=reason):
            return f"error {word(reason)}"
        case ChildSpecError(problem=problem):
            return f"refused {problem}"
    return REFUSALS[type(error)]


def answer(value: Any) -> str:
    """Returns what an answer comes to."""
    match value:
        case ActorRef():
            return "ok"
        case ChildCounts(specs, active, supervisors, workers):
            return f"{specs} {active} {supervisors} {workers}"
        case ChildSpec():
            shutdown = {None: "infinity", BRUTAL_KILL: "brutal_kill", 5.0: "5000"}[value.shutdown]
            significant = str(value.significant).lower()
            return f"{value.restart} {shutdown} {significant} {value.type}"
    return " ".join(
        f"{'undefined' if child.id is None else child.id}={state(child.ref)}/{child.type}"
        for child in value
    )


def state(ref: Any) -> str:
    """Returns OTP's word for the state of a child."""
    if ref is None:
        return "stopped"
    return "restarting" if ref is RESTARTING else "running"
