"""What is announced and not there yet says so."""

from __future__ import annotations

import pytest

import supervisors
from supervisors.__main__ import main


def test_unknown_name() -> None:
    """Any other name is unknown as in any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Supervisorr'"):
        _ = supervisors.Supervisorr  # type: ignore[attr-defined]


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A command without what it needs says how it is used, and fails."""
    assert main(["top"]) == 2
    assert "usage: python -m supervisors top" in capsys.readouterr().err
