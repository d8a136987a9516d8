"""The distributions are complete; `make package` also installs and uses them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.sources import ROOT
from tools import check_package


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    check_package.build(ROOT, folder, "sdist", "wheel")
    [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def test_both_are_complete(built: tuple[Path, Path]) -> None:
    """Wheel and source distribution have the typing markers, the licence, and the metadata."""
    check_package.check_contents(*built)


def test_the_source_distribution_builds_the_same_wheel(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    """What is built from the source distribution has the same files with the same contents."""
    wheel, sdist = built
    check_package.check_same(sdist, wheel, tmp_path)


@pytest.mark.parametrize("lost", ["supervisors/py.typed", "LICENSE"])
def test_what_is_missing_is_found(built: tuple[Path, Path], tmp_path: Path, lost: str) -> None:
    """A wheel without a typing marker or the licence does not pass."""
    wheel, sdist = built
    poorer = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(poorer, "w") as copy:
        for name in whole.namelist():
            if not name.endswith(lost):
                copy.writestr(name, whole.read(name))
    with pytest.raises(check_package.PackageError, match="missing"):
        check_package.check_contents(poorer, sdist)
