"""The command line over TLS and through files: what is trusted, what is shown, what is bounded."""

from __future__ import annotations

import io
import json
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection

from phoenix_actors import cli
from phoenix_actors.cli import values
from tests.integration.websocket_peers import serving

Run = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.usefixtures("no_leaks")


def talk(connection: ServerConnection) -> None:
    """Plays a server: each message is answered with its payload and the X-Key header."""
    request = connection.request
    assert request is not None
    told = request.headers.get("X-Key")
    for text in connection:
        join_ref, ref, topic, _, payload = json.loads(text)
        response = {"payload": payload, "key": told}
        reply = [join_ref, ref, topic, "phx_reply", {"status": "ok", "response": response}]
        connection.send(json.dumps(reply))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for this machine, its key, and the key with a password."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("cli-tls")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", "key.pem", "-out", "cert.pem"]
    make = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files]
    lock = [openssl, "rsa", "-aes256", "-passout", "pass:secret", "-in", "key.pem", "-out"]
    for command in (make, [*lock, "locked.pem"]):
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder


def served(certificate: Path, *, mutual: bool) -> Iterator[str]:
    """Serves over TLS; with `mutual` only whoever shows the certificate as well."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate / "cert.pem")
    with serving(talk, ssl=context) as (_, url):
        yield url


@pytest.fixture
def url(certificate: Path) -> Iterator[str]:
    """The URL of a server over TLS."""
    yield from served(certificate, mutual=False)


@pytest.fixture
def mutual_url(certificate: Path) -> Iterator[str]:
    """The URL of a server that wants a certificate of its clients."""
    yield from served(certificate, mutual=True)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process; returns its exit code, its output and its notices."""
    for name in ("CONNECT_PARAMS", "PARAMS", "AUTH_TOKEN", "HEADERS", "PROXY", "KEY_PASSWORD"):
        monkeypatch.delenv(f"PHOENIX_{name}", raising=False)

    def run(*words: object) -> tuple[int, str, str]:
        code = cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_certificate_that_nobody_knows(run: Run, url: str, certificate: Path) -> None:
    """It is refused with code 3 and a sentence, unless it is named or everything is taken."""
    code, out, err = run("push", url, "room:a", "echo")
    assert (code, out) == (3, "")
    assert "the server's certificate does not verify" in err
    assert "Traceback" not in err
    code, out, err = run("push", url, "room:a", "echo", "--cacert", certificate / "cert.pem")
    assert (code, out, err) == (0, 'ok {"payload": {}, "key": null}\n', "")
    code, out, err = run("push", url, "room:a", "echo", "-k")
    assert (code, out) == (0, 'ok {"payload": {}, "key": null}\n')
    assert err == "phoenix-actors: --insecure: whoever answers is taken for the server\n"
    assert run("push", url, "room:a", "echo", "-k", "--quiet")[2] == ""


def test_a_certificate_of_ones_own(
    run: Run, mutual_url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server gets it; the password of its key comes from the environment."""
    words = ["push", mutual_url, "room:a", "echo", "--cacert", certificate / "cert.pem"]
    assert run(*words)[0] == 3
    shown = ["--cert", certificate / "cert.pem", "--key"]
    assert run(*words, *shown, certificate / "key.pem")[0] == 0
    monkeypatch.setenv("PHOENIX_KEY_PASSWORD", "secret")
    assert run(*words, *shown, certificate / "locked.pem")[0] == 0
    monkeypatch.setenv("PHOENIX_KEY_PASSWORD", "wrong")
    code, _, err = run(*words, *shown, certificate / "locked.pem")
    assert (code, "wrong" in err) == (3, False)


def test_headers_from_the_environment(
    run: Run, url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PHOENIX_HEADERS has one a line; a line that is none is an error that does not show it."""
    words = ("push", url, "room:a", "echo", "--cacert", certificate / "cert.pem")
    monkeypatch.setenv("PHOENIX_HEADERS", "X-Key: secret-1\nX-More: 2\n")
    assert '"key": "secret-1"' in run(*words)[1]
    monkeypatch.setenv("PHOENIX_HEADERS", "secret-1")
    code, _, err = run(*words)
    assert (code, err) == (2, "phoenix-actors: PHOENIX_HEADERS must be NAME: VALUE\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ws://localhost:1/s", "-k"), "for wss:// and https:// only"),
        (("wss://localhost:1/s", "--cacert", "/no/such"), "--cacert: cannot read '/no/such'"),
        (("wss://localhost:1/s", "--cert", "/no/such"), "--cert: cannot read '/no/such'"),
        (("wss://localhost:1/s", "--key", __file__), "--key needs --cert"),
        (("wss://localhost:1/s", "--proxy", "ftp://al:secret@x"), "has the scheme 'ftp'"),
    ],
)
def test_options_that_do_not_fit(run: Run, words: tuple[str, ...], said: str) -> None:
    """Each is code 2 and a sentence, before anything is connected to."""
    address, *options = words
    code, out, err = run("push", address, "room:a", "echo", *options)
    assert (code, out) == (2, "")
    assert said in err
    assert "secret" not in err


def test_files_and_input_are_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no end, such as /dev/zero, is refused after the bound, and so is the input."""
    monkeypatch.setattr(values, "LIMIT", 1024 * 1024)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b" " * (1024 * 1024 + 1))))
    code, _, err = run("push", "ws://localhost:1/s", "room:a", "echo", "-")
    assert (code, err) == (2, "phoenix-actors: PAYLOAD has more than 1 MiB\n")
    if Path("/dev/zero").exists():
        code, _, err = run("push", "ws://localhost:1/s", "room:a", "echo", "@/dev/zero")
        assert (code, err) == (2, "phoenix-actors: PAYLOAD has more than 1 MiB\n")
        code, _, err = run("listen", "ws://localhost:1/s", "a", "--auth-token-file", "/dev/zero")
        assert (code, err) == (2, "phoenix-actors: --auth-token-file has more than 1 MiB\n")
        code, _, err = run("run", "/dev/zero")
        assert (code, "'/dev/zero' has more than 1 MiB" in err) == (2, True)


def test_version_and_no_command(run: Run) -> None:
    """--version prints it; without a command there is the help, on standard error, and code 2."""
    code, out, _ = run("--version")
    assert (code, out.split()[0]) == (0, "phoenix-actors")
    code, out, err = run()
    assert (code, out) == (2, "")
    for command in ("listen", "push", "demo", "bench", "run", "serve", "top"):
        assert f"    {command}" in err
