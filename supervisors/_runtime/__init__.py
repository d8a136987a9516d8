"""Processes on Pykka: mailboxes, life cycle, signals, names, timers and who runs what."""

from __future__ import annotations
