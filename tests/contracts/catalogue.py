"""The numbered contract items, read from the data files beside this module."""

from __future__ import annotations

import tomllib
from pathlib import Path

CONTRACTS = ("supervision", "client")


def load(contract: str) -> dict[str, str]:
    """Returns id → words of one contract, in the order of its numbers."""
    text = Path(__file__).with_name(f"{contract}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def load_all() -> dict[str, dict[str, str]]:
    """Returns contract → its items."""
    return {contract: load(contract) for contract in CONTRACTS}
