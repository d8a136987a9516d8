"""Draws what a client might send, sensible or not, and tells what a server made of it.

A script is a list of frames, `(kind, data)` or `(kind, data, fin)`, for one connection. What comes
back is compared by topic, since channels answer in no order among each other; what no two servers
have in common, such as the refs of presences, is replaced.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import Any, TypeAlias

from tests.conformance.raw_client import RawClient, Received

__all__ = ["Frame", "answers", "script"]

Frame: TypeAlias = tuple[str, bytes, bool]

TOPICS = ["room:a", "room:b", "counter:a", "room:é☃"]
ODD_TOPICS = ["room:private", "room:crash_on_join", "nosuch:x", "phoenix", "room", "", "presence:p"]
EVENTS = [
    "echo",
    "fail",
    "no_reply",
    "shout",
    "shout_from",
    "push_me",
    "crash",
    "stop",
    "stop_reply",
    "disconnect_me",
    "flood",
    "binary_push",
    "binary_broadcast",
    "hibernate_ping",
    "whoami",
    "nosuch",
    "add",
    "seq",
    "dump",
    "reset",
    "phx_close",
    "phx_error",
    "phx_reply",
    "heartbeat",
]
PAYLOADS: list[Any] = [
    {},
    {"x": 1},
    {"n": 3, "size": 5},
    {"n": 2},
    {"size": 4},
    {"a": {"b": [1, 2.5, None, True, "ü☃\u2028\u0000/"]}},
    [],
    [1, [2]],
    "text",
    "",
    0,
    -1.5e300,
    12345678901234567890,
    None,
    False,
]
BROKEN: list[tuple[str, bytes]] = [
    ("text", b""),
    ("text", b"[]"),
    ("text", b"null"),
    ("text", b'["1","1","room:a","echo"]'),
    ("text", b'["1","1","room:a","echo",{},{}]'),
    ("text", b'["1","1","room:a","echo",{}'),
    ("text", b'["1","1","room:a","echo",{"n":1e999}]'),
    ("text", b'["1","1","room:a","echo",{"n":NaN}]'),
    ("text", b'["1","1","room:a","echo",{"x":"\\ud83d\\ude00"}]'),
    ("text", b'["1","1","room:a","echo",{"x":"\\ud83d"}]'),
    ("text", b' [ "1" , "1","room:a","echo", {} ] \n'),
    ("text", b'\xef\xbb\xbf["1","1","room:a","echo",{}]'),
    ("text", b'["1","1",5,"echo",{}]'),
    ("text", b'["1","1",null,"echo",{}]'),
    ("text", b'["1","1","room:a",5,{}]'),
    ("text", b'["1","1","room:a",null,{}]'),
    ("text", b'[1,1,"room:a","echo",{}]'),
    ("text", b'[{},[],"room:a","echo",{}]'),
    ("binary", b""),
    ("binary", b"\x00"),
    ("binary", b"\x00\x01\x01\x06\x04"),
    ("binary", b"\x01\x01\x01\x06\x0411room:aecho"),
    ("binary", b"\x02\x06\x04room:aecho"),
    ("binary", b"\x00\x01\x01\x06\x0411room:aecho\x00\xff"),
    ("continuation", b"x"),
    ("ping", b"p" * 126),
    ("close", b"\x03"),
    ("close", b"\x03\xed"),
    ("close", b"\x03\xe8\xff"),
    ("close", b"\x0b\xb8gone"),
]
FENCE = json.dumps([None, "fence", "phoenix", "heartbeat", {}]).encode()
FENCE_V1 = b'{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"fence"}'


def script(chance: random.Random, vsn: str) -> list[Frame]:
    """Draws up to 25 frames; most are for topics that were joined before."""
    frames: list[Frame] = []
    joined: dict[str, str] = {}
    for number in range(1, chance.randint(2, 25)):
        frames += _step(chance, vsn, str(number), joined)
    return frames


def _step(chance: random.Random, vsn: str, ref: str, joined: dict[str, str]) -> list[Frame]:
    draw = chance.random()
    topic = chance.choice(TOPICS if chance.random() < 0.9 else ODD_TOPICS)
    if draw < 0.05:
        kind, data = chance.choice(BROKEN)
        return [(kind, data, True)]
    if draw < 0.08:
        return [(chance.choice(["ping", "pong"]), b"beat", True)]
    if draw < 0.3 or (topic not in joined and draw < 0.85):
        joined[topic] = ref
        return _frames(chance, vsn, [ref, ref, topic, "phx_join", chance.choice(PAYLOADS[:5])])
    join_ref: Any = joined.get(topic)
    if chance.random() < 0.1:
        join_ref = chance.choice([None, "0", "", 1, ref])
    if draw < 0.36:
        joined.pop(topic, None)
        return _frames(chance, vsn, [join_ref, ref, topic, "phx_leave", {}])
    event, payload = chance.choice(EVENTS), chance.choice(PAYLOADS)
    own: Any = ref if chance.random() < 0.95 else chance.choice([None, "", 7, "1"])
    if vsn.startswith("2") and chance.random() < 0.15:
        return [_binary(chance, [join_ref, own, topic, event])]
    return _frames(chance, vsn, [join_ref, own, topic, event, payload])


def _frames(chance: random.Random, vsn: str, message: list[Any]) -> list[Frame]:
    """Returns a message as one frame, or sometimes as two with a ping between."""
    if vsn.startswith("2"):
        data = json.dumps(message, ensure_ascii=chance.random() < 0.5).encode()
    else:
        names = ["join_ref", "ref", "topic", "event", "payload"]
        value = dict(zip(names, message, strict=True))
        if chance.random() < 0.3:
            del value["join_ref"]
        data = json.dumps(value).encode()
    if chance.random() < 0.9:
        return [("text", data, True)]
    cut = chance.randint(0, len(data))
    return [("text", data[:cut], False), ("ping", b"mid", True), ("continuation", data[cut:], True)]


def _binary(chance: random.Random, message: list[Any]) -> Frame:
    words = ["" if word is None else str(word) for word in message]
    words[3] = chance.choice(["binary_echo", "binary_push", "binary_broadcast", "echo", words[3]])
    encoded = [word.encode() for word in words]
    head = bytes([0, *map(len, encoded)])
    return ("binary", head + b"".join(encoded) + chance.randbytes(chance.choice([0, 1, 300])), True)


def answers(url: str, vsn: str, frames: list[Frame], quiet: float) -> list[Any]:
    """Sends frames one after the other and returns what came for each, until it was quiet."""
    client = RawClient.connected(url, f"/socket/websocket?vsn={vsn}&user_id={random.random()}")
    fence = FENCE if vsn.startswith("2") else FENCE_V1
    told: list[Any] = []
    try:
        for kind, data, fin in frames:
            client.send(kind, data, fin=fin)
            if fin:
                client.send("text", fence)
            told.append(_heard(client, quiet))
            if client.ended:
                break
    except ConnectionError:
        told.append("the connection is gone")
    finally:
        client.close()
    return told


def _heard(client: RawClient, quiet: float) -> dict[str, list[Any]]:
    heard: dict[str, list[Any]] = defaultdict(list)
    while (frame := client.receive(quiet)) is not None:
        place, told = _normal(frame)
        heard[place].append(told)
    if client.ended:
        heard["<end>"].append(True)
    return dict(heard)


def _normal(frame: Received) -> tuple[str, Any]:
    if frame.kind == "binary":
        return "binary", frame.data.hex(" ")
    if frame.kind != "text":
        return f"<{frame.kind}>", frame.data.hex(" ")
    value = _shared(json.loads(frame.data))
    return str(value["topic"] if isinstance(value, dict) else value[2]), value


def _shared(value: Any) -> Any:
    """Replaces what differs from server to server and run to run."""
    match value:
        case dict():
            replaced = ("phx_ref", "phx_ref_prev", "online_at", "user_id", "id")
            return {k: k if k in replaced else _shared(v) for k, v in value.items()}
        case list():
            return [_shared(item) for item in value]
        case _:
            return value
