"""Long poll of the loopback server, request by request."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from phoenix_actors.testing import PhoenixServer
from tests.e2e.rig import DEADLINE, Log, eventually

WINDOW = 0.8
JOIN = '["1","1","room:a","phx_join",{}]'


class Answer(NamedTuple):
    """What a request was answered with."""

    status: int
    headers: dict[str, str]
    body: Any


@pytest.fixture
def server(no_leaks: None) -> Iterator[PhoenixServer]:
    """A running server."""
    with PhoenixServer(longpoll_window=WINDOW) as running:
        yield running


@pytest.fixture
def patient(no_leaks: None) -> Iterator[PhoenixServer]:
    """One whose sessions outlast the test, however busy the machine is."""
    with PhoenixServer(longpoll_window=DEADLINE) as running:
        yield running


def ask(
    server: PhoenixServer,
    method: str,
    query: str = "vsn=2.0.0",
    body: str | bytes | None = None,
    **headers: str,
) -> Answer:
    """Make one request; `_` in the names of headers stands for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"/socket/longpoll?{query}", body, named)
        response = connection.getresponse()
        data = response.read()
        told = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, told, json.loads(data) if data[:1] == b"{" else data)
    finally:
        connection.close()


def session(server: PhoenixServer, query: str = "vsn=2.0.0") -> str:
    """Open a session and return its token."""
    answer = ask(server, "GET", query)
    assert answer.body["status"] == 410
    return str(answer.body["token"])


def poll(server: PhoenixServer, token: str) -> Any:
    """Return the body of a poll."""
    return ask(server, "GET", x_phoenix_longpoll_token=token).body


def post(server: PhoenixServer, token: str, *lines: str, kind: str = "application/x-ndjson") -> int:
    """Post messages; return the status in the answer."""
    headers = {"x_phoenix_longpoll_token": token, "content_type": kind}
    return int(ask(server, "POST", "vsn=2.0.0", "\n".join(lines), **headers).body["status"])


def test_the_token_counts_in_the_header_before_the_query(server: PhoenixServer) -> None:
    """Either place will do, and what is no token begins a session."""
    token = session(server)
    assert poll(server, token) == {"status": 204, "token": token, "messages": []}
    assert ask(server, "GET", f"vsn=2.0.0&token={quote(token)}").body["status"] == 204
    both = ask(server, "GET", "vsn=2.0.0&token=x", x_phoenix_longpoll_token=token)
    assert both.body["status"] == 204
    other = ask(
        server, "GET", f"vsn=2.0.0&token={quote(token)}", **{"x-phoenix-longpoll-token": "x"}
    )
    assert other.body["status"] == 410


@pytest.mark.parametrize("query", ["vsn=3.0.0", "vsn=2.0.0&token=bad"])
def test_a_refusal(server: PhoenixServer, query: str) -> None:
    """It has a status and nothing else, in an answer that is a 200."""
    answer = ask(server, "GET", query)
    assert (answer.status, answer.body) == (200, {"status": 403})
    assert [shake.status for shake in server.handshakes()] == [403]


def test_only_the_first_hundred_of_a_batch_are_read(patient: PhoenixServer) -> None:
    """The rest is left without a word."""
    token = session(patient)
    lines = ['["1","1","counter:a","phx_join",{}]']
    lines += [f'["1","{n}","counter:a","seq_noreply",{{"n":{n}}}]' for n in range(150)]
    assert post(patient, token, *lines) == 200
    eventually(lambda: patient.dump("counter:a"), lambda items: len(items) == 99)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("no base64!", "application/x-ndjson", 500),
        ("AAE", "application/x-ndjson", 500),
        ("[" * 8_000_001, "application/json", 400),
    ],
    ids=["no base64", "no padding", "too long"],
)
def test_a_body_that_cannot_be_read(
    patient: PhoenixServer, body: str, kind: str, status: int
) -> None:
    """It is a 400, or a 500 for what is no base64; the session goes on."""
    token = session(patient)
    headers = {"x_phoenix_longpoll_token": token, "content_type": kind}
    assert ask(patient, "POST", body=body, **headers).status == status
    assert post(patient, token, JOIN) == 200


@pytest.mark.parametrize("bad", ["[1]", "AAEC", "[garbage"])
def test_a_bad_frame_ends_the_session(server: PhoenixServer, bad: str) -> None:
    """Its POST waits for nothing, what stands behind is not read, and the next one is told 410."""
    token = session(server)
    begun = time.monotonic()
    assert post(server, token, bad, JOIN) == 408
    assert time.monotonic() - begun >= WINDOW
    assert server.stats()["transports"] == 0
    assert post(server, token, JOIN) == 410
    told = poll(server, token)
    assert (told["status"], told["token"] != token) == (410, True)


def test_what_takes_longer_than_the_window(server: PhoenixServer) -> None:
    """Its POST is told 408; it is handled nevertheless, and what stands behind it is not."""
    token = session(server)
    slow = '["9","9","room:slow","phx_join",{}]'
    assert post(server, token, slow, JOIN) == 408
    eventually(lambda: poll(server, token)["messages"])
    assert server.stats()["by_topic"] == {"room:slow": 1}


def test_a_session_that_nobody_polls_ends(server: PhoenixServer) -> None:
    """With its channels, after 1.5 windows and before 3; a POST does not keep it."""
    begun = time.monotonic()
    token = session(server, "vsn=2.0.0&user_id=al")
    assert post(server, token, JOIN) == 200
    assert server.stats()["by_transport"] == {"longpoll": 1}
    assert server.stats()["ids"] == ["user:al"]
    eventually(lambda: server.stats()["channels"], lambda count: count == 0)
    assert time.monotonic() - begun > WINDOW
    assert post(server, token, JOIN) == 410


def test_polls_keep_a_session(server: PhoenixServer) -> None:
    """For longer than it lives without."""
    token = session(server)
    assert post(server, token, JOIN) == 200
    end = time.monotonic() + 5 * WINDOW
    while time.monotonic() < end:
        assert poll(server, token)["status"] in (200, 204)
    assert server.stats()["channels"] == 1


def test_of_two_polls_the_later_gets_what_comes(server: PhoenixServer) -> None:
    """The earlier one finds nothing until its window is over."""
    told = Log()
    token = session(server)
    threads = [
        threading.Thread(target=lambda: told.add(poll(server, token)["status"])) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
        time.sleep(WINDOW / 4)
    assert post(server, token, JOIN) == 200
    for thread in threads:
        thread.join(DEADLINE)
    assert told.items == [(200,), (204,)]


def test_bytes_that_are_no_text_are_a_500(patient: PhoenixServer) -> None:
    """As they do not fit into JSON; the session goes on without them."""
    token = session(patient)
    assert post(patient, token, JOIN) == 200
    assert poll(patient, token)["status"] == 200
    patient.broadcast("room:a", "shout", b"\xff")
    assert ask(patient, "GET", x_phoenix_longpoll_token=token).status == 500
    patient.broadcast("room:a", "shout", b"ok")
    assert poll(patient, token)["messages"] == ["\x02\x06\x05room:ashoutok"]


def test_a_stall_answers_nobody(patient: PhoenixServer) -> None:
    """Until it is over: new sessions, polls and posts alike."""
    token = session(patient)
    patient.stall()
    told = Log()
    threads = [
        threading.Thread(target=lambda: told.add("new", ask(patient, "GET").body["status"])),
        threading.Thread(target=lambda: told.add("post", post(patient, token, JOIN))),
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    assert told.items == []
    patient.resume()
    for thread in threads:
        thread.join(DEADLINE)
    assert sorted(told.items) == [("new", 410), ("post", 200)]


def test_a_refusing_server(patient: PhoenixServer) -> None:
    """It refuses sessions, and those that are there go on."""
    token = session(patient)
    patient.refuse_connections(503, {"Retry-After": "7"})
    answer = ask(patient, "GET")
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")
    assert post(patient, token, JOIN) == 200
    patient.accept_connections()
    assert ask(patient, "GET").body["status"] == 410


def test_a_preflight(server: PhoenixServer) -> None:
    """Pages of other origins may ask; nobody may keep an answer."""
    answer = ask(server, "OPTIONS", access_control_request_headers="x-a")
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == "x-a"
    assert ask(server, "GET").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("window", [0, -1, "1"])
def test_the_window_is_checked(window: Any) -> None:
    """As all durations are."""
    with pytest.raises(ValueError, match="longpoll_window"):
        PhoenixServer(longpoll_window=window)
