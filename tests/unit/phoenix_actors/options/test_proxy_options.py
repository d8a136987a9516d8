"""Which proxy stands between a client and its server."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from phoenix_actors.errors import InvalidOption
from phoenix_actors.options import Proxy, ProxyOptions, TransportOptions

HIDDEN = "s3cr3t"
SPECIAL = "p@ss"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever proxies the machine of the test has do not count."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def route(value: Any, host: str = "chat.example.org", *, secure: bool = True) -> Proxy | None:
    """Return the way to a server that a value of the option means."""
    options = TransportOptions.of({"proxy": value}).proxy
    assert options is not None
    return options.route(host, 443 if secure else 80, secure=secure)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://proxy:3128", Proxy(scheme="http", host="proxy", port=3128)),
        ("proxy:3128", Proxy(scheme="http", host="proxy", port=3128)),
        ("http://[::1]:1", Proxy(scheme="http", host="::1", port=1)),
        (
            "http://al:p%40ss@proxy",
            Proxy(scheme="http", host="proxy", port=80, username="al", password=SPECIAL),
        ),
    ],
)
def test_a_url_names_a_proxy(url: str, expected: Proxy) -> None:
    """With user and password, percent escapes undone, and the port of its scheme."""
    assert route(url) == expected


def test_user_and_password_may_stand_beside_the_url() -> None:
    """They count more than those in the URL."""
    given = {"url": "http://a:b@proxy:1", "username": "al", "password": HIDDEN}
    expected = Proxy(scheme="http", host="proxy", port=1, username="al", password=HIDDEN)
    assert route(given) == expected


@pytest.mark.parametrize("nothing", [None, False])
def test_no_proxy_is_the_default(nothing: Any) -> None:
    """Nor is any asked for by None and False."""
    assert TransportOptions.of({"proxy": nothing}).proxy is None
    assert TransportOptions.of({}).proxy is None


@pytest.mark.contract("C175")
def test_no_proxy_names_who_is_reached_directly() -> None:
    """Hosts, domains, ports and everything; as a list or with commas."""
    given = {"url": "proxy:1", "no_proxy": "localhost, .local,other:80"}
    assert route(given, "localhost") is None
    assert route(given, "a.local") is None
    assert route(given, "LOCALHOST") is None
    assert route(given, "notlocal") is not None
    assert route(given, "other", secure=False) is None
    assert route(given, "other") is not None
    assert route({"url": "proxy:1", "no_proxy": ["*"]}) is None
    assert route({"url": "proxy:1", "no_proxy": ["::1"]}, "::1") is None


@pytest.mark.contract("C175")
def test_the_environment_is_read_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the scheme of the server; a name that it holds cannot hide a bad one."""
    assert route("environment") is None
    monkeypatch.setenv("all_proxy", "http://both:1")
    monkeypatch.setenv("https_proxy", "http://secure:2")
    monkeypatch.setenv("no_proxy", "a.local")
    assert route("environment") == Proxy(scheme="http", host="secure", port=2)
    assert route("environment", secure=False) == Proxy(scheme="http", host="both", port=1)
    assert route("environment", "a.local") is None
    assert route({"url": "environment", "no_proxy": ["b.local"]}, "b.local") is None
    monkeypatch.setenv("https_proxy", "ftp://p")
    with pytest.raises(InvalidOption, match="scheme 'ftp'"):
        route("environment")


def test_socks_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the option says so when it is given, and what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InvalidOption, match=r"phoenix-actors\[socks\]"):
        route("socks5://proxy")


@pytest.mark.contract("C16")
def test_reprs_show_no_secret() -> None:
    """Neither user nor password, wherever they were given."""
    options = TransportOptions.of(
        {"proxy": {"url": f"http://al:{HIDDEN}@p:1", "password": HIDDEN, "no_proxy": ["x"]}}
    )
    shown = repr(options) + repr(route(f"http://al:{HIDDEN}@p:1"))
    assert HIDDEN not in shown
    assert "http://p:1" in shown
    assert repr(ProxyOptions(url="environment")) == "ProxyOptions('environment')"
    for wrong in (f"http://al:{HIDDEN}@p:x", f"ftp://al:{HIDDEN}@p"):
        with pytest.raises(InvalidOption) as caught:
            ProxyOptions(url=wrong)
        assert HIDDEN not in str(caught.value)
