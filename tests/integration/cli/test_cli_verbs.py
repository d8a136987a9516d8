"""`listen`, `push` and `bench`: what they print, what they return, what they never show."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from phoenix_actors import cli
from phoenix_actors.cli import progress
from phoenix_actors.testing import PhoenixServer

NASTY = "\x1b]0;title\x07\x1b[2J \x9b31m \x7f \u202e \u2028 \ufeff é 日本"
PRINTED = "\\u001b]0;title\\u0007\\u001b[2J \\u009b31m \\u007f \\u202e \\u2028 \\ufeff é 日本"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(no_leaks: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process; returns its exit code, its output and its notices."""
    for name in ("CONNECT_PARAMS", "PARAMS", "AUTH_TOKEN", "URL"):
        monkeypatch.delenv(f"PHOENIX_{name}", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def server(no_leaks: None) -> Iterator[PhoenixServer]:
    """A server that takes `auth_token`."""
    with PhoenixServer(auth_token=True) as running:
        yield running


# ---- push -------------------------------------------------------------------------------------


def test_push_prints_the_reply(run: Run, server: PhoenixServer) -> None:
    """The reply is a line: status and response, or one JSON value."""
    assert run("push", server.url, "room:a", "echo", '{"n": 1}') == (0, 'ok {"n": 1}\n', "")
    code, out, _ = run("push", server.url, "room:a", "echo", '{"n": 1}', "--json")
    assert (code, json.loads(out)) == (0, {"status": "ok", "response": {"n": 1}})


def test_push_reads_files_and_standard_input(
    run: Run, server: PhoenixServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payload may be a file's content or the input's, as JSON or as bytes."""
    (tmp_path / "payload").write_bytes(b'{"from": "file"}')
    assert run("push", server.url, "room:a", "echo", f"@{tmp_path}/payload")[1] == (
        'ok {"from": "file"}\n'
    )
    words = ("push", server.url, "room:a", "binary_echo", f"@{tmp_path}/payload", "--binary")
    assert run(*words)[1] == 'ok {"$base64": "eyJmcm9tIjogImZpbGUifQ=="}\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"from": "input"}')))
    assert run("push", server.url, "room:a", "echo", "-")[1] == 'ok {"from": "input"}\n'


def test_push_takes_the_payload_behind_an_option(run: Run, server: PhoenixServer) -> None:
    """Options may stand anywhere, before the payload too."""
    words = ("push", server.url, "room:a", "echo", "--json", '{"n": 1}', "--timeout", "5")
    assert json.loads(run(*words)[1]) == {"status": "ok", "response": {"n": 1}}


@pytest.mark.parametrize("count", ["0", "x", "1.5"])
def test_a_count_is_a_whole_number(run: Run, server: PhoenixServer, count: str) -> None:
    """Anything else is refused, and no name of the code is shown."""
    code, _, err = run("listen", server.url, "room:a", "--count", count)
    assert (code, "argument --count: must be a whole number, 1 or more" in err) == (2, True)


def test_push_without_a_reply_has_arrived(run: Run, server: PhoenixServer) -> None:
    """With --no-reply the command ends once the server has the push."""
    assert run("push", server.url, "counter:a", "seq_noreply", '{"n": 1}', "--no-reply") == (
        0,
        "",
        "",
    )
    assert server.dump("counter:a") == [{"n": 1}]


@pytest.mark.parametrize(
    ("words", "code", "out", "err"),
    [
        (("room:a", "fail", '{"n": 1}'), 4, 'error {"n": 1}\n', ""),
        (("room:private", "echo"), 4, "", 'refused to join room:private: {"reason": "unauth'),
        (("room:a", "no_reply", "--timeout", "0.2"), 5, "", "got no reply within 0.2 seconds"),
        (("room:slow", "echo", "--timeout", "0.2"), 5, "", "was not joined within 0.2 seconds\n"),
        (("room:a", "crash"), 3, "", "the server closed 'room:a', or its channel crashed, before"),
        (("", "echo"), 2, "", ": TOPIC must be a string"),
        (("room:a", "echo", "-x", "gopher://secret"), 2, "", ": --proxy has the scheme 'gopher'"),
        (("room:a", "echo", "-H", "Upgrade: x"), 2, "", ": --header has 'Upgrade'"),
        (("room:a", "echo", "{secret"), 2, "", "PAYLOAD is no JSON: Expecting property name"),
        (("room:a", "echo", "--params", "[7]"), 2, "", "--params must be a JSON object"),
        (("room:a", "echo", "--params", "@/no/such"), 2, "", "--params: cannot read '/no/such'"),
        (("room:a", "echo", "--header", "secret"), 2, "", "--header must be NAME: VALUE"),
        (("room:a", "echo", "--timeout", "0"), 2, "", "must be more than 0 seconds"),
        (("room:a", "echo", "--timeout", "x"), 2, "", "must be more than 0 seconds"),
        (("room:a", "echo", "--vsn", "3"), 2, "", "invalid choice"),
        (("room:a", "echo", "--json", "{}", "more"), 2, "", "unrecognized arguments: "),
        (("room:a", "echo", "{}", "more"), 2, "", "unrecognized arguments: more"),
    ],
)
def test_exit_codes(
    run: Run, server: PhoenixServer, words: tuple[str, ...], code: int, out: str, err: str
) -> None:
    """Each way to fail has its code and a sentence, and shows no value of the user's."""
    result = run("push", server.url, *words)
    assert result[:2] == (code, out)
    assert err in result[2]
    assert "secret" not in result[2]
    assert "Traceback" not in result[2]


def test_no_connection(run: Run, server: PhoenixServer) -> None:
    """A server that is not there, one that refuses, and a bad URL."""
    code, _, err = run("push", "ws://127.0.0.1:1/socket?token=secret", "room:a", "echo")
    assert (code, "could not be reached" in err, "secret" in err) == (3, True, False)
    server.refuse_connections(403)
    code, _, err = run("listen", server.url, "room:a", "--timeout", "0.3")
    assert (code, "HTTP status 403" in err) == (3, True)
    assert run("push", "nonsense", "room:a", "echo")[0] == 2


def test_listen_tells_a_refusal_once(run: Run, server: PhoenixServer) -> None:
    """A first join that is refused ends the command, with one line."""
    code, _, err = run("listen", server.url, "room:private")
    assert (code, err.count("refused to join room:private")) == (4, 1)


def test_listen_tells_that_it_tries_again(run: Run) -> None:
    """The first failed attempt is told at once, the others are not; with --quiet none is."""
    words = ("listen", "ws://127.0.0.1:1/socket", "room:a", "--timeout", "1.5")
    code, _, err = run(*words)
    assert code == 3
    assert err.count("; trying again\n") == 1
    assert err.index("trying again") < err.index("no connection within 1.5 seconds")
    assert "trying again" not in run(*words, "--quiet")[2]


# ---- secrets ----------------------------------------------------------------------------------


def test_secrets_from_files(run: Run, server: PhoenixServer, tmp_path: Path) -> None:
    """Params, header and token are read from files, and reach the server only."""
    (tmp_path / "connect").write_text('{"key": "secret-1"}', encoding="utf-8")
    (tmp_path / "join").write_text('{"key": "secret-2"}', encoding="utf-8")
    (tmp_path / "token").write_text("secret-3\n", encoding="utf-8")
    (tmp_path / "headers").write_text("X-Key: secret-4\n\nX-More: yes\n", encoding="utf-8")
    words = ["--connect-params", f"@{tmp_path}/connect", "--params", f"@{tmp_path}/join"]
    words += ["--auth-token-file", f"{tmp_path}/token", "--header", f"@{tmp_path}/headers"]
    code, out, err = run("push", server.url, "room:a", "whoami", *words)
    assert code == 0
    assert server.connect_params()[0].params["key"] == "secret-1"
    assert ("x-key", "secret-4") in server.connect_params()[0].headers
    assert ("x-more", "yes") in server.connect_params()[0].headers
    assert server.assert_join("room:a").payload == {"key": "secret-2"}
    offered = dict(server.connect_params()[0].headers)["sec-websocket-protocol"]
    assert "base64url.bearer" in offered
    assert not re.search("secret-[234]", out + err)


def test_secrets_from_the_environment(
    run: Run, server: PhoenixServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment gives what the command line does not; the command line counts first."""
    monkeypatch.setenv("PHOENIX_CONNECT_PARAMS", '{"key": "secret-1"}')
    monkeypatch.setenv("PHOENIX_PARAMS", '{"key": "secret-2"}')
    monkeypatch.setenv("PHOENIX_AUTH_TOKEN", "secret-3")
    assert run("push", server.url, "room:a", "echo")[0] == 0
    assert server.assert_join("room:a").payload == {"key": "secret-2"}
    handshake = server.connect_params()[0]
    assert handshake.params["key"] == "secret-1"
    assert "base64url.bearer" in dict(handshake.headers)["sec-websocket-protocol"]
    assert run("push", server.url, "room:a", "echo", "--params", "{}")[0] == 0
    assert server.assert_join("room:a").payload == {}
    monkeypatch.setenv("PHOENIX_PARAMS", "{secret")
    code, _, err = run("push", server.url, "room:a", "echo")
    assert (code, "PHOENIX_PARAMS is no JSON" in err, "secret" in err) == (2, True, False)


# ---- listen -----------------------------------------------------------------------------------


def in_background(run: Run, *words: str) -> Callable[[], tuple[int, str, str]]:
    """Runs a command in a thread; the function returned waits for its end."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(run(*words)))
    thread.start()

    def result() -> tuple[int, str, str]:
        thread.join(30)
        code, out, err = results[0]
        return code, out, err

    return result


def test_listen_prints_events(run: Run, server: PhoenixServer) -> None:
    """Messages are printed in order, only those asked for, and the count ends it."""
    server.accept_join("chat:a", {"you": "alice"})
    words = ("--event", "line", "--event", "more", "--count", "3")
    result = in_background(run, "listen", server.url, "chat:a", *words)
    server.assert_join("chat:a", timeout=30)
    for number in range(3):
        server.broadcast("chat:a", "noise", {})
        server.broadcast("chat:a", "line" if number < 2 else "more", {"n": number})
    code, out, err = result()
    assert (code, out) == (0, 'line {"n": 0}\nline {"n": 1}\nmore {"n": 2}\n')
    assert err == 'phoenix-actors: joined chat:a: {"you": "alice"}\n'


def test_listen_goes_on_after_a_loss(run: Run, server: PhoenixServer) -> None:
    """The client reconnects and rejoins; what happened is told beside the output."""
    result = in_background(run, "listen", server.url, "room:a", "--count", "1", "--json")
    server.assert_join("room:a", timeout=30)
    server.drop()
    server.assert_join("room:a", timeout=30)
    server.broadcast("room:a", "line", {"body": "back"})
    code, out, err = result()
    assert (code, json.loads(out)) == (
        0,
        {"topic": "room:a", "event": "line", "payload": {"body": "back"}},
    )
    assert "the connection was lost" in err
    assert "joined again room:a" in err


def test_listen_ends_with_the_topic(run: Run, server: PhoenixServer) -> None:
    """When the server closes its channel there is nothing to wait for."""
    server.accept_join("chat:a")
    result = in_background(run, "listen", server.url, "chat:a", "--quiet")
    server.assert_join("chat:a", timeout=30)
    assert server.close_channels("chat:a") == 1
    code, _, err = result()
    assert (code, err) == (3, "phoenix-actors: the server closed chat:a\n")


def test_received_text_cannot_steer_the_terminal(run: Run, server: PhoenixServer) -> None:
    """Events, payloads, replies and refusals are printed with every control character escaped."""
    server.accept_join("chat:a", {"hello": NASTY}, replies={"say": {"body": NASTY}})
    result = in_background(run, "listen", server.url, "chat:a", "--count", "1")
    server.assert_join("chat:a", timeout=30)
    server.broadcast("chat:a", NASTY, {NASTY: NASTY})
    code, out, err = result()
    assert code == 0
    assert out == f'{PRINTED} {{"{PRINTED}": "{PRINTED}"}}\n'
    assert f'{{"hello": "{PRINTED}"}}' in err
    _, out, _ = run("push", server.url, "chat:a", "say", "--json")
    assert PRINTED in out
    assert json.loads(out)["response"]["body"] == NASTY
    server.reject_join("chat:a", {"reason": NASTY})
    _, _, err = run("push", server.url, "chat:a", "say")
    assert PRINTED in err
    assert (out + err).replace("\n", "").isprintable()


# ---- bench ------------------------------------------------------------------------------------


def test_bench_measures_and_is_silent_in_a_pipe(run: Run, server: PhoenixServer) -> None:
    """Numbers on standard output, nothing on standard error; each push was made."""
    words = ("--topic", "counter:b", "--event", "seq", "--count", "50", "--window", "5", "--json")
    code, out, err = run("bench", server.url, *words)
    result = json.loads(out)
    assert (code, err) == (0, "")
    assert server.dump("counter:b") == [{"n": number} for number in range(50)]
    assert (result["count"], result["window"]) == (50, 5)
    assert 0 < result["p50_ms"] <= result["p95_ms"] <= result["p99_ms"] <= result["max_ms"]
    assert result["per_second"] == pytest.approx(50 / result["duration_seconds"], rel=0.01)


def test_bench_tells_of_refusals(run: Run, server: PhoenixServer) -> None:
    """Replies with another status than ok are counted, and are exit code 4."""
    code, out, err = run("bench", server.url, "--event", "fail", "--count", "3")
    assert (code, "p50_ms" in out) == (4, True)
    assert err == "phoenix-actors: 3 replies had another status than ok\n"


@pytest.mark.parametrize("width", [10, 40, 80, 200])
def test_the_bar_fits(width: int) -> None:
    """The bar is never wider than the terminal."""
    for done in (0, 999, 1000):
        assert len(progress.bar(done, 1000, 1.5, width)) <= width
