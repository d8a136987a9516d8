"""Builds the distributions and uses them as a stranger would, outside the checkout.

Run by `make package`. It builds the source distribution and the wheel, builds a wheel from the
source distribution and compares, looks into all of them, installs the wheel into an empty
environment in a temporary folder, and there runs the demo, type-checks a user's program and imports
the packages. The installation needs what pip needs; where pip can fetch nothing the tool says so,
does what needs no network, and exits with 77.
"""

from __future__ import annotations

import email.parser
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = 77
PACKAGES = ("phoenix_actors", "supervisors")

PROGRAM = """\
from phoenix_actors import SocketClient
from supervisors import GenServer, Supervisor, run, whereis

client: SocketClient = SocketClient.start_link(url="ws://localhost:4000/socket")
connected: bool = client.connected
"""
WRONG = PROGRAM + "status: int = client.status\n"


class PackageError(Exception):
    """What is wrong with a distribution."""


def run(*command: object, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program without this process's PYTHONPATH; raise with its output when it fails."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode != 0:
        raise PackageError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done


def contents(wheel: Path) -> dict[str, str]:
    """Return the checksum of each file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def build(source: Path, into: Path, *targets: str) -> None:
    """Build these targets of a source folder with the environment's own hatchling."""
    words = [word for target in targets for word in ("-t", target)]
    run(sys.executable, "-m", "hatchling", "build", "-d", into, *words, cwd=source)


def check_contents(wheel: Path, sdist: Path) -> None:
    """Look for the typing markers, the licence and the metadata."""
    names = set(contents(wheel))
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    for package in PACKAGES:
        if f"{package}/py.typed" not in names & held:
            raise PackageError(f"{package}/py.typed is missing")
    licence = [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    if not licence or "LICENSE" not in held:
        raise PackageError("the licence is missing")
    strays = {name.partition("/")[0] for name in names} - {*PACKAGES, "pytest_phoenix_actors.py"}
    strays = {name for name in strays if not name.endswith(".dist-info")}
    if strays:
        raise PackageError(f"the wheel has {', '.join(sorted(strays))} too")
    with zipfile.ZipFile(wheel) as archive:
        [path] = [name for name in names if name.endswith(".dist-info/METADATA")]
        text = archive.read(path).decode()
    metadata = email.parser.HeaderParser().parsestr(text)
    classifiers = metadata.get_all("Classifier") or []
    if metadata["License-Expression"] != "MIT" or "Typing :: Typed" not in classifiers:
        raise PackageError("the metadata lacks the licence or a classifier")
    for url in re.findall(r"https?://([^/\s)>\]]+)", text):
        if url.partition(":")[0] not in {"hexdocs.pm", "pykka.readthedocs.io", "github.com"}:
            raise PackageError(f"the metadata names the host {url}")


def check_same(sdist: Path, wheel: Path, folder: Path) -> None:
    """Build a wheel from the source distribution; its files have to be the same."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    [source] = (folder / "source").iterdir()
    build(source, folder / "again", "wheel")
    [again] = (folder / "again").glob("*.whl")
    if contents(again) != contents(wheel):
        raise PackageError("the source distribution builds another wheel")


def check_use(wheel: Path, folder: Path) -> bool:
    """Install the wheel into an empty environment, and use it there; False: pip has nothing."""
    base = getattr(sys, "_base_executable", sys.executable)
    run(base, "-m", "venv", folder / "env", cwd=folder)
    scripts = folder / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    python = scripts / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    if run(*pip, f"{wheel}[testing]", cwd=folder, check=False).returncode != 0:
        return False
    user = folder / "user"
    user.mkdir()
    where = "import phoenix_actors, supervisors; print(phoenix_actors.__file__)"
    if not Path(run(python, "-c", where, cwd=user).stdout).is_relative_to(folder.resolve()):
        raise PackageError("the package comes from somewhere else")
    if "demo passed" not in run(scripts / "phoenix-actors", "demo", cwd=user).stdout:
        raise PackageError("the demo did not pass")
    (user / "program.py").write_text(PROGRAM, encoding="utf-8")
    (user / "wrong.py").write_text(WRONG, encoding="utf-8")
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", python)
    run(*mypy, "program.py", cwd=user)
    if "[assignment]" not in run(*mypy, "wrong.py", cwd=user, check=False).stdout:
        raise PackageError("a user's mistake passes mypy: the types are not seen")
    return True


def main() -> int:
    """Build and check; return the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="package-")).resolve()
    try:
        build(ROOT, folder / "dist", "sdist", "wheel")
        [wheel], [sdist] = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
        check_contents(wheel, sdist)
        check_same(sdist, wheel, folder)
        print(f"{sdist.name} and {wheel.name}: complete, and both give the same wheel")
        if not check_use(wheel, folder):
            print("skipped: pip cannot fetch the dependencies, so the wheel was not installed")
            return SKIPPED
        print("an empty environment has the wheel: demo passed, mypy --strict sees the types")
    except PackageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
