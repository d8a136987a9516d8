"""Waiting in a coroutine for a future of this library."""

from __future__ import annotations

import asyncio
from typing import Any

from supervisors import CallTimeout, Reply

__all__ = ["within"]


async def within(reply: Reply, seconds: float | None) -> Any:
    """Return what a future gives within so many seconds.

    Raises:
        CallTimeout: it gives nothing in time.
        BaseException: what it raises.
    """
    if reply.done():
        return reply.get()
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await reply
    except TimeoutError:
        if not limit.expired():
            raise
        if reply.done():
            return reply.get()
        raise CallTimeout(seconds) from None
