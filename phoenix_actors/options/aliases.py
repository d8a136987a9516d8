"""Second names of options: those that the components themselves read them by (C179)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from phoenix_actors.errors import InvalidOption

__all__ = ["ALIASES", "without_aliases"]

# A component's own name → the options of the client that it means.
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "pool_size": ("binary_pool_size",),
    "max_age": ("binary_max_age",),
    "cache_size": ("route_cache_size",),
    "ttl": ("route_cache_ttl",),
    # Both components read this one.
    "cleanup_interval": ("binary_cleanup_interval", "route_cleanup_interval"),
    "idle_timeout": ("hibernation_idle_timeout",),
    "check_interval": ("hibernation_check_interval",),
    "memory_threshold": ("hibernation_memory_threshold",),
}


def without_aliases(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords with every option under its documented name.

    Raises:
        InvalidOption: an option is given under both of its names.

    Example:
        >>> without_aliases({"url": "ws://h/socket", "cache_size": 7})
        {'url': 'ws://h/socket', 'route_cache_size': 7}
        >>> without_aliases({"ttl": 1.0, "route_cache_ttl": 2.0})
        Traceback (most recent call last):
        phoenix_actors.errors.InvalidOption: option ttl is another name of route_cache_ttl, which \
is given too
    """
    given: dict[str, Any] = {}
    for name, value in keywords.items():
        for meant in ALIASES.get(name, (name,)):
            if meant != name and meant in keywords:
                raise InvalidOption(name, f"is another name of {meant}, which is given too")
            given[meant] = value
    return given
