"""The processes of a client, one file each; the file's name is the id in the tree."""

from __future__ import annotations
