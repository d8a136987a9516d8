"""The client on the wire, against a bare socket, websocket-client and phoenix.js, in one run.

The server is `replay.py`, whose frames are ready before the clock starts, and PhoenixServer, each
in a process of its own. With `PHOENIX_URL=ws://127.0.0.1:PORT/socket`, the reference application
that listens there is one more server, and `BENCH_PEER=NAME=COMMAND` one more client of it; with
`--phoenix` nothing else is measured. With `--all`, every number of channels, length of payload and
deflating, one round of each; with `--cpu`, the processor time of the client's process instead of
the wall clock.
Rates that were measured elsewhere are no rows here.
"""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

import wire_ours as ours
from clocks import CPU
from harness import Aim, Way, main
from replay import serving
from wire_peers import (
    other,
    phoenix_js,
    raw,
    raw_alone,
    raw_connect,
    raw_flight,
    wsc,
    wsc_actors,
    wsc_alone,
)

from phoenix_actors.testing import ServerProcess

Cases = dict[str, tuple[int, list[Way]]]

HANDLER = "ours, ChannelActor"
# The aims, by row. What is not reached stands in the table as such.
AIMS = {
    "inbound, 1 channel, 60 B": [
        Aim(HANDLER, than="phoenix.js", times=0.8),
        Aim(HANDLER, than="the same, Pykka actor", times=4.0),
    ],
    "push and reply, replay server": [
        Aim("ours", than="raw socket", times=0.8),
        Aim("ours", than="websocket-client + json"),
        Aim("ours", than="phoenix.js"),
    ],
    "push and reply, PhoenixServer": [
        Aim("ours", than="raw socket", times=0.8),
        Aim("ours", than="websocket-client + json"),
        Aim("ours", than="phoenix.js"),
    ],
    "push and reply, 100 in flight": [Aim("ours", than="phoenix.js")],
    "connect and join": [Aim("ours", most=0.0025)],
    "a join of 1,000, one by one": [Aim("ours", most=0.00032), Aim("ours", than="phoenix.js")],
}


def of_inbound(port: int) -> Cases:
    """Return the rows of a flood, with three ways to take it, and one and many topics."""
    cases: Cases = {
        "inbound, 1 channel, 60 B": (
            20_000,
            [
                wsc(port, 60, 1),
                wsc_actors(port, 60),
                raw(port, 60),
                *phoenix_js(port, "inbound"),
                *(ours.inbound(port, to, 60, 1) for to in ("handler", "on", "subscriber")),
                ours.inbound(port, "handler", 60, 1, transport="websocket-client"),
            ],
        ),
        "inbound, 100 channels, 60 B": (
            20_000,
            [
                wsc(port, 60, 100),
                *phoenix_js(port, "inbound", topics=100),
                ours.inbound(port, "handler", 60, 100),
            ],
        ),
        "inbound, 1 channel, 2 KB": (
            4_000,
            [
                wsc(port, 2_000, 1),
                *phoenix_js(port, "inbound", size=2_000),
                ours.inbound(port, "handler", 2_000, 1),
            ],
        ),
    }
    return cases


def of_pushes(port: int, phoenix: int) -> Cases:
    """Return the rows of pushes, joins and connections."""
    return {
        "push and reply, replay server": (
            1_000,
            [wsc_alone(port), raw_alone(port), *phoenix_js(port, "alone"), ours.alone(port)],
        ),
        "push and reply, PhoenixServer": (
            500,
            [
                wsc_alone(phoenix),
                raw_alone(phoenix),
                *phoenix_js(phoenix, "alone"),
                ours.alone(phoenix),
            ],
        ),
        "push and reply, 100 in flight": (
            5_000,
            [raw_flight(port), *phoenix_js(port, "flight"), ours.flight(port)],
        ),
        "connect and join": (
            40,
            [raw_connect(port), *phoenix_js(port, "connect"), ours.connect(port)],
        ),
        "a join of 1,000, one by one": (1_000, [*phoenix_js(port, "joins"), ours.joins(port)]),
    }


def of_phoenix(port: int) -> Cases:
    """Return the rows on a real Phoenix; a flood counts from its push."""

    def others(row: str) -> list[Way]:
        return [*phoenix_js(port, row), *other(port, row)]

    return {
        "push and reply, PHOENIX_URL": (
            500,
            [raw_alone(port), *others("alone"), ours.alone(port)],
        ),
        "push and reply, 100 in flight, PHOENIX_URL": (
            5_000,
            [*others("flight"), ours.flight(port)],
        ),
        "inbound, 60 B, PHOENIX_URL": (
            10_000,
            [*others("inbound"), ours.inbound(port, "handler", 60, 1)],
        ),
        "connect and join, PHOENIX_URL": (
            40,
            [raw_connect(port), *others("connect"), ours.connect(port)],
        ),
        "a join of 1,000, one by one, PHOENIX_URL": (
            1_000,
            [*others("joins"), ours.joins(port)],
        ),
    }


def of_latency(port: int) -> Cases:
    """Return the rows of the time from frame to handler."""
    return {
        f"frame to handler, {rate:,}/s": (
            count,
            [ours.latency(port, rate, 0.5), ours.latency(port, rate, 0.99)],
        )
        for rate, count in ((1_000, 1_000), (50_000, 20_000))
    }


def of_everything(port: int) -> Cases:
    """Return the whole matrix; the others do not deflate, and are there where we do not either."""
    return {
        f"{size:>6} B, {topics:>4} channels{', deflate' if deflate else ''}": (
            # A bare websocket-client takes milliseconds for one of 20 kB.
            max(200, 2_000_000 // (size + 200)),
            [
                *([] if deflate else [wsc(port, size, topics)]),
                *([] if deflate else phoenix_js(port, "inbound", size, topics)),
                *(
                    ours.inbound(port, to, size, topics, deflate=deflate)
                    for to in ("handler", "on", "subscriber")
                ),
            ],
        )
        for size in (20, 200, 2_000, 20_000)
        for topics in (1, 100, 1_000)
        for deflate in (False, True)
    }


if __name__ == "__main__":
    options = {word for word in sys.argv if word in ("--all", "--cpu", "--phoenix")}
    clock = "processor time" if CPU else "wall clock"
    sys.argv = [word for word in sys.argv if word not in options]
    everything = "--all" in options
    phoenix = urlsplit(os.environ.get("PHOENIX_URL", "")).port
    title = f"the client on the wire, {clock}: others against the first of each row"
    real = {} if phoenix is None else of_phoenix(phoenix)
    if "--phoenix" in options:
        main(title, real, rounds=3)
        sys.exit()
    with serving() as replay, ServerProcess() as phoenix_server:
        phoenix_port = int(phoenix_server.url.split(":")[2].split("/")[0])
        cases = {
            **real,
            **of_inbound(replay),
            **of_pushes(replay, phoenix_port),
            **({} if CPU else of_latency(replay)),
        }
        main(
            title,
            {**cases, **(of_everything(replay) if everything else {})},
            rounds=1 if everything else 3,
            aims={} if CPU else AIMS,
        )
