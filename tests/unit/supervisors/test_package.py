"""What is announced and not there yet says so."""

from __future__ import annotations

import pytest

import supervisors
from supervisors.__main__ import main


@pytest.mark.parametrize("name", ["PartitionSupervisor", "TaskSupervisor", "Task", "introspect"])
def test_announced_names(name: str) -> None:
    """A name of a later version is an AttributeError that says it is not available."""
    with pytest.raises(AttributeError, match=f"{name} is not available in this version"):
        getattr(supervisors, name)


def test_unknown_name() -> None:
    """Any other name is unknown as in any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Supervisorr'"):
        _ = supervisors.Supervisorr


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The observer's command says what to use instead, and fails."""
    assert main(["top"]) == 2
    assert "supervisors top: not available in this version" in capsys.readouterr().err
