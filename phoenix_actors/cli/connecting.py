"""A client as the options of a command say, for the time of the command."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from phoenix_actors.cli.output import notice
from phoenix_actors.cli.values import header_pairs, json_object, token_of
from phoenix_actors.client import SocketClient

__all__ = ["connected", "join_params"]


def join_params(parsed: argparse.Namespace) -> dict[str, Any]:
    """Return the params of the join.

    Raises:
        ValueError: they are no JSON object.
    """
    return json_object(parsed.params, "--params", "PHOENIX_PARAMS")


@contextmanager
def connected(parsed: argparse.Namespace, url: str, **options: Any) -> Iterator[SocketClient]:
    """Connect, run the block, and stop the client however it ends.

    Raises:
        ConnectError: no connection came about within `--timeout` seconds.
        ValueError: an option is wrong.
    """
    client = SocketClient.start_link(
        url=url,
        auto_connect=False,
        params=json_object(parsed.connect_params, "--connect-params", "PHOENIX_CONNECT_PARAMS"),
        auth_token=token_of(parsed.auth_token_file),
        headers=header_pairs(parsed.header),
        vsn=parsed.vsn,
        join_timeout=parsed.timeout,
        push_timeout=parsed.timeout,
        transport_opts={"connect_timeout": parsed.timeout},
        performance_monitor=False,
        **options,
    )
    try:
        if not parsed.quiet:
            client.on_close(_closed)
        client.connect()
        client.wait_connected(parsed.timeout)
        yield client
    finally:
        client.stop()


def _closed(code: int | None, reason: str, clean: bool) -> None:
    if not clean:
        notice(f"the connection was lost (close code {code}{reason and f', {reason!r}'})")
