"""The page: what it tells, to whom, and how it looks in a real browser."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from supervisors import GenServer, observer
from supervisors.observer.web import WebObserver
from tests import leaks
from tests.integration.observer.programs import DEADLINE, observed

pytestmark = pytest.mark.usefixtures("no_leaks")

TOKEN = "correct-horse-battery"  # noqa: S105  made up
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)


@pytest.fixture
def page(no_leaks: None) -> Iterator[WebObserver]:
    """This process, for everybody on this machine."""
    with observer.serve_http(0) as running:
        yield running


def get(
    page: WebObserver, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Returns status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=DEADLINE)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_looks_and_actors(page: WebObserver) -> None:
    """What the Unix socket tells, as JSON."""
    ref = GenServer.start()
    status, _, body = get(page, "/look?sort=memory&rows=500")
    found: dict[str, Any] = json.loads(body)
    assert (status, found["type"]) == (200, "look")
    assert ref.actor_urn in [row["urn"] for row in found["actors"]]
    status, _, body = get(page, f"/actor?urn={ref.actor_urn}")
    assert (status, json.loads(body)["row"]["class_name"]) == (200, "GenServer")
    ref.stop()
    status, _, body = get(page, f"/actor?urn={ref.actor_urn}")
    assert (status, json.loads(body)["type"]) == (404, "refusal")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/look?sort=colour", 400),
        ("/look?rows=1000000", 400),
        ("/look?nonsense=1", 400),
        ("/actor", 400),
        ("/look?" + "&".join(f"a{n}=1" for n in range(50)), 400),
        ("/page.html", 404),
        ("/../web.py", 404),
        ("/order?urn=x&deed=stop", 404),
    ],
)
def test_bad_requests(page: WebObserver, path: str, status: int) -> None:
    """An error that says why, in JSON; and nothing can be ordered."""
    found, headers, body = get(page, path)
    assert (found, headers["content-type"]) == (status, "application/json")
    assert json.loads(body)["problem"]


def test_other_methods_are_refused(page: WebObserver) -> None:
    """Nothing but GET."""
    assert get(page, "/look", method="POST")[0] == 501


def test_a_foreign_host_name_is_refused(page: WebObserver) -> None:
    """A page elsewhere whose name was made to point here reads nothing (DNS rebinding)."""
    status, _, body = get(page, "/look", Host="evil.example:80")
    assert (status, b"actors" in body) == (421, False)
    assert get(page, "/look", Host="localhost:1")[0] == 200


def test_the_page_loads_nothing_and_runs_only_its_own_script(page: WebObserver) -> None:
    """No address of elsewhere, and a policy that forbids what is not of the page."""
    status, headers, body = get(page, "/")
    assert status == 200
    assert b"http:" not in body
    assert b"https:" not in body
    assert b"innerHTML" not in body
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; connect-src 'self'; script-src 'nonce-")
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert body.count(f'nonce="{nonce}"'.encode()) == 2
    assert nonce not in get(page, "/")[2].decode()


def test_a_token_guards_the_data() -> None:
    """With a token only who has it sees anything; it is in no address and no repr."""
    with observer.serve_http(0, host="127.0.0.1", token=TOKEN) as page:
        assert get(page, "/")[0] == 200
        assert get(page, "/look")[0] == 401
        assert get(page, f"/look?token={TOKEN}")[0] == 401
        assert get(page, "/look", Authorization=f"Bearer {TOKEN}x")[0] == 401
        assert get(page, "/look", Authorization=f"Bearer {TOKEN}")[0] == 200
        assert TOKEN not in repr(page) + page.url


def test_others_need_a_token() -> None:
    """An address that others can reach is not opened without one, nor with a short one."""
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.com"):  # noqa: S104  it is refused
        with pytest.raises(ValueError, match="token="):
            observer.serve_http(0, host=host)
    with pytest.raises(ValueError, match="short"):
        observer.serve_http(0, token=TOKEN[:15])


def test_close_leaves_nothing(page: WebObserver) -> None:
    """Not even where a visitor has connected and says nothing, or half a request."""
    before = leaks.resources()
    with observer.serve_http(0) as other:
        idle = socket.create_connection(("127.0.0.1", other.port), DEADLINE)
        half = socket.create_connection(("127.0.0.1", other.port), DEADLINE)
        half.sendall(b"GET /lo")
        assert get(other, "/look")[0] == 200
        began = time.monotonic()
        other.close()
        assert time.monotonic() - began < 4
    idle.close()
    half.close()
    assert leaks.leaked(before) == []


def test_visitors_are_bounded(page: WebObserver) -> None:
    """The seventeenth takes the place of the first that has asked nothing; all others stay."""
    with ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection(("127.0.0.1", page.port), DEADLINE))
            for _ in range(17)
        ]
        assert idle[0].recv(1) == b""
        for connection in idle[1:]:
            connection.sendall(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert b" 200 " in connection.recv(100)
    assert get(page, "/look")[0] == 200


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: " + ", ".join(BROWSERS))
def test_in_a_real_browser(tmp_path: Path) -> None:
    """The page fills itself, escapes labels, and a screenshot of it is a picture."""
    with observed(tmp_path) as program:
        shown = browse(tmp_path, "--dump-dom", program.url)
        picture = tmp_path / "page.png"
        browse(tmp_path, f"--screenshot={picture}", program.url)
    for text in ("shop", "Crashed(ValueError)", "supervisors.actor.crashed", "users", "by "):
        assert text in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert "<img" not in shown
    assert "s3cret" not in shown
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert picture.stat().st_size > 20_000


def browse(folder: Path, what: str, url: str) -> str:
    """Opens an address in a browser without a window and returns what it prints."""
    assert BROWSER is not None
    host = urlsplit(url)
    assert host.hostname == "127.0.0.1"
    words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    words += [f"--user-data-dir={folder / 'profile'}", "--window-size=1400,1100"]
    words += ["--virtual-time-budget=8000", what, url]
    found = subprocess.run(
        [BROWSER, *words], capture_output=True, text=True, timeout=300, check=True
    )
    return found.stdout
