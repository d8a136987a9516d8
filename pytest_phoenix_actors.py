"""The pytest plugin: fixtures for tests of actors and of Phoenix channels.

- `start_supervised(child, …)` starts an actor for the test; it is stopped in order at the end.
- `phoenix_server` is a Phoenix server on loopback, `phoenix_client` a client connected to it;
  override `phoenix_server_options` and `phoenix_client_options` to give them options.
- `manual_clock` moves the timers of all actors by hand.
- `no_leaks` fails the test when a thread, actor, socket or timer outlives it.

docs/testing.md is the guide. pytest loads this module in every run of every project that has the
distribution installed, so it is a module of its own and imports the library inside its fixtures
only: what it costs a run that uses none of them is measured by benchmarks/bench_pytest_plugin.py.
Only for pytest's own main thread, as all fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from phoenix_actors import SocketClient
    from phoenix_actors.testing import PhoenixServer
    from supervisors.testing import ManualClock, TestSupervisor

__all__ = [
    "manual_clock",
    "no_leaks",
    "phoenix_client",
    "phoenix_client_options",
    "phoenix_server",
    "phoenix_server_options",
    "start_supervised",
]

# What there was before a test that asked for `no_leaks`.
_BEFORE = pytest.StashKey[Any]()


def _after(request: pytest.FixtureRequest, *names: str) -> None:
    """Sets up those of the fixtures first that the test asks for too, in whatever order it does."""
    for name in names:
        if name in request.fixturenames:
            request.getfixturevalue(name)


@pytest.fixture
def start_supervised(request: pytest.FixtureRequest) -> Iterator[TestSupervisor]:
    """Starts actors for this test and returns their references.

    Call it: `ref = start_supervised(Counter, 40, name="counter")`. It takes a class with its
    arguments, `(class, *args)`, a `ChildSpec`, or any `pykka.Actor` subclass. They run under a
    supervisor, restart as their specs say, and are stopped in the reverse of their start order at
    the end of the test, which fails when one does not stop. `start_supervised.stop(id_or_ref)`
    stops one earlier.
    """
    _after(request, "no_leaks", "manual_clock", "phoenix_client")
    from supervisors.testing import TestSupervisor

    with TestSupervisor() as starter:
        yield starter


@pytest.fixture
def phoenix_server_options() -> dict[str, Any]:
    """Options of `phoenix_server`; override it to return others, see `PhoenixServer`."""
    return {}


@pytest.fixture
def phoenix_server(
    request: pytest.FixtureRequest, phoenix_server_options: dict[str, Any]
) -> Iterator[PhoenixServer]:
    """A running Phoenix server on loopback, for this test; see `PhoenixServer`.

    It has the channels of the reference application (`room:*`, `counter:*`, `presence:*`) unless
    `phoenix_server_options` names others; `accept_join` and `reject_join` script any topic.
    """
    _after(request, "no_leaks", "manual_clock")
    from phoenix_actors.testing import PhoenixServer

    with PhoenixServer(**phoenix_server_options) as server:
        yield server


@pytest.fixture
def phoenix_client_options() -> dict[str, Any]:
    """Options of `phoenix_client`; override it to return others, see `SocketOptions`.

    By default it reconnects and rejoins after 0.05 s, so that tests of losses are quick.
    """
    return {"backoff": [0.05], "refusal_backoff": [0.05], "rejoin_backoff": [0.05]}


@pytest.fixture
def phoenix_client(
    request: pytest.FixtureRequest,
    phoenix_server: PhoenixServer,
    phoenix_client_options: dict[str, Any],
) -> Iterator[SocketClient]:
    """A client of `phoenix_server`, connected unless told `auto_connect=False`; then stopped."""
    _after(request, "no_leaks", "manual_clock")
    from phoenix_actors import SocketClient

    options = {"url": phoenix_server.url, **phoenix_client_options}
    client = SocketClient.start_link(**options)
    try:
        if options.get("auto_connect", True):
            client.wait_connected()
        yield client
    finally:
        client.stop()


@pytest.fixture
def manual_clock(request: pytest.FixtureRequest) -> Iterator[ManualClock]:
    """The clock of every actor's timers, which only the test moves: `manual_clock.advance(30)`.

    See `supervisors.testing.manual_time` for what follows it and what takes real seconds.
    """
    _after(request, "no_leaks")
    from supervisors.testing import manual_time

    with manual_time() as clock:
        yield clock


@pytest.fixture
def no_leaks(request: pytest.FixtureRequest) -> None:
    """Fails the test when a thread, actor, socket or timer that it started outlives it by 5 s.

    The look is taken after every other fixture of the test has cleaned up, in whatever order they
    were named; what there was before this fixture was set up is not counted.
    """
    from supervisors.testing import resources

    request.node.stash[_BEFORE] = resources()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Looks for what is left once all fixtures of a test have ended."""
    __tracebackhide__ = True
    yield
    before = item.stash.get(_BEFORE, None)
    if before is not None:
        from supervisors.testing import leaked

        left = leaked(before)
        if left:
            pytest.fail("\n".join(["the test leaves behind:", *left]), pytrace=False)
