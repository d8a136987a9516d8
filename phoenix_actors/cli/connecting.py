"""A client as the options of a command say, for the time of the command."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from phoenix_actors.cli.output import notice
from phoenix_actors.cli.values import file_path, header_pairs, json_object, token_of
from phoenix_actors.client import SocketClient
from phoenix_actors.errors import ConnectError, PhoenixError

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
        transport_opts=_transport_options(parsed, url),
        performance_monitor=False,
        **options,
    )
    try:
        if not parsed.quiet:
            client.on_close(_closed)
            if client.session.options.reconnect:
                told = _Retries()
                client.on_error(told.failed)
                client.on_open(told.opened)
        client.connect()
        client.wait_connected(parsed.timeout)
        yield client
    finally:
        client.stop()


def _transport_options(parsed: argparse.Namespace, url: str) -> dict[str, Any]:
    """Return `transport_opts`.

    Raises:
        ValueError: a file cannot be read, or options of TLS are for an URL without it.
    """
    options: dict[str, Any] = {"connect_timeout": parsed.timeout}
    proxy = parsed.proxy or os.environ.get("PHOENIX_PROXY")
    if proxy:
        options["proxy"] = proxy
    files = {
        "ca_certs": file_path(parsed.cacert, "--cacert"),
        "certfile": file_path(parsed.cert, "--cert"),
        "keyfile": file_path(parsed.key, "--key"),
    }
    tls: dict[str, Any] = {name: path for name, path in files.items() if path is not None}
    if parsed.insecure:
        tls["verify"] = False
    if not tls:
        return options
    if not url.lower().startswith(("wss:", "https:")):
        msg = "--cacert, --insecure, --cert and --key are for wss:// and https:// only"
        raise ValueError(msg)
    if parsed.key is not None and parsed.cert is None:
        msg = "--key needs --cert, the certificate that it belongs to"
        raise ValueError(msg)
    if parsed.insecure and not parsed.quiet:
        notice("--insecure: whoever answers is taken for the server")
    if "certfile" in tls:
        tls["password"] = os.environ.get("PHOENIX_KEY_PASSWORD")
    options["ssl_opts"] = tls
    return options


class _Retries:
    """Tells of the first failed attempt in a row: the user would wait without knowing why."""

    def __init__(self) -> None:
        self._told = False

    def failed(self, error: PhoenixError) -> None:
        if not self._told and isinstance(error, ConnectError):
            self._told = True
            notice(f"{error}; trying again")

    def opened(self) -> None:
        self._told = False


def _closed(code: int | None, reason: str, clean: bool) -> None:
    if not clean:
        notice(f"the connection was lost (close code {code}{reason and f', {reason!r}'})")
