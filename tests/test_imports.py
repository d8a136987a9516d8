"""What `import supervisors` and `import phoenix_actors` leave for later: the slow part."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.sources import ROOT

HEAVY = {
    "asyncio",
    "http",
    "pytest",
    "python_socks",
    "random",
    "ssl",
    "structlog",
    "websocket",
    "websockets",
    "zlib",
    "supervisors._machines.partitions",
    "supervisors._runtime.bounded_lane",
    "supervisors._runtime.foreign_process",
    "supervisors._runtime.task_actor",
    "supervisors.dead_letters",
}
if sys.version_info < (3, 14):
    # From then on `logging` brings it.
    HEAVY |= {"dataclasses"}
LATER = {
    "supervisors": HEAVY
    | {
        "supervisors.application",
        "supervisors.circuit_breaker",
        "supervisors.observer",
        "supervisors.partition_supervisor",
        "supervisors.supervisor",
        "supervisors.task_supervisor",
        "supervisors.testing",
    },
    "phoenix_actors": HEAVY
    | {
        "phoenix_actors.aio",
        "phoenix_actors.cli",
        "phoenix_actors.testing",
        "phoenix_actors.transport.long_poll",
        "phoenix_actors.transport.websocket",
    },
}


def printed(code: str) -> str:
    """Returns what a new interpreter prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.mark.parametrize("package", LATER)
def test_heavy_modules_come_later(package: str) -> None:
    """The import of a package brings none of the modules that many programs do without."""
    loaded = set(printed(f"import sys, {package}\nprint(*sys.modules)").split())
    assert package in loaded
    assert loaded & LATER[package] == set()


@pytest.mark.parametrize("package", LATER)
def test_every_public_name_is_there_and_listed(package: str) -> None:
    """`from … import *` and `dir` have the names that are imported later, too."""
    code = (
        f"import {package} as p\nlisted = set(dir(p))\nfrom {package} import *\n"
        "print(set(p.__all__) <= set(globals()), set(p.__all__) <= listed)"
    )
    assert printed(code).split() == ["True", "True"]


@pytest.mark.parametrize("package", ["supervisors", "phoenix_actors"])
@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [("prometheus", "prometheus_client", "prometheus"), ("otel", "opentelemetry", "otel")],
)
def test_a_missing_extra_is_named(package: str, module: str, missing: str, extra: str) -> None:
    """Without what an extra brings, the error says what to install."""
    code = f"import sys; sys.modules[{missing!r}] = None; import {package}.contrib.{module}"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    last = ended.stderr.splitlines()[-1]
    assert last.startswith(f"ImportError: {package}.contrib.{module} needs ")
    assert last.endswith(f": pip install 'phoenix-actors[{extra}]'")
