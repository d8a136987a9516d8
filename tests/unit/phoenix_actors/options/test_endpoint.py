"""From the URL of a user to the one that is opened."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from phoenix_actors.errors import InvalidOption, InvalidURL
from phoenix_actors.options.endpoint import build_url, encode_params, redact_url

HIDDEN = "s3cr3t"


@pytest.mark.contract("C1", "C2")
@pytest.mark.parametrize(
    ("given", "opened"),
    [
        ("ws://h:4000/socket", "ws://h:4000/socket/websocket"),
        ("ws://h:4000/socket/", "ws://h:4000/socket/websocket"),
        ("ws://h:4000/socket/websocket", "ws://h:4000/socket/websocket"),
        ("ws://h:4000/socket/websocket/", "ws://h:4000/socket/websocket"),
        ("ws://h", "ws://h/websocket"),
        ("http://h/socket", "ws://h/socket/websocket"),
        ("https://h/socket", "wss://h/socket/websocket"),
        ("HTTPS://H/socket", "wss://h/socket/websocket"),
        ("wss://h:8443/socket", "wss://h:8443/socket/websocket"),
        ("ws://[::1]:4000/socket", "ws://[::1]:4000/socket/websocket"),
        ("http://[2001:DB8::1]/socket", "ws://[2001:db8::1]/socket/websocket"),
        ("ws://bücher.example/söck", "ws://xn--bcher-kva.example/s%C3%B6ck/websocket"),
        ("ws://h/a%20b", "ws://h/a%20b/websocket"),
    ],
)
def test_the_path_is_completed_and_the_scheme_a_websocket_one(given: str, opened: str) -> None:
    """`/websocket` is there once, http is ws, IPv6 is in brackets, names and paths are ASCII."""
    assert build_url(given) == f"{opened}?vsn=2.0.0"


@pytest.mark.contract("C3", "C4", "C5")
@pytest.mark.parametrize(
    ("url", "params", "query"),
    [
        ("ws://h/socket", {}, "vsn=2.0.0"),
        ("ws://h/socket?x=1&y=%20", {"z": "3"}, "x=1&y=%20&z=3&vsn=2.0.0"),
        ("ws://h/socket?vsn=1.0.0&x=1", {}, "x=1&vsn=2.0.0"),
        ("ws://h/socket?x=1&v%73n=1.0.0", {}, "x=1&vsn=2.0.0"),
        ("ws://h/socket", {"vsn": "1.0.0", "x": "1"}, "x=1&vsn=2.0.0"),
        ("ws://h/socket?&&flag&", {}, "flag&vsn=2.0.0"),
        ("ws://h/socket?q=ü", {}, "q=%C3%BC&vsn=2.0.0"),
    ],
)
def test_a_query_is_kept_and_vsn_is_there_once(
    url: str, params: dict[str, str], query: str
) -> None:
    """The params follow the query of the URL, and the option decides the version."""
    assert urlsplit(build_url(url, params, "2.0.0")).query == query


@pytest.mark.contract("C6")
def test_values_arrive_as_they_were() -> None:
    """Spaces, plus, ampersand, equals, per cent, non-ASCII and nothing at all survive."""
    params = {"a": "t o+k&e=n%", "é ü": "ß€𝄞", "empty": "", "slash": "/?#[]"}
    query = urlsplit(build_url("ws://h/socket", params)).query
    assert dict(parse_qsl(query, keep_blank_values=True)) == {**params, "vsn": "2.0.0"}


@pytest.mark.contract("C7")
@pytest.mark.parametrize(
    ("params", "pairs"),
    [
        ({"a": {"b": 1, "c": {"d": 2}}}, [("a[b]", "1"), ("a[c][d]", "2")]),
        ({"a": [1, "x", True]}, [("a[]", "1"), ("a[]", "x"), ("a[]", "true")]),
        ({"a": [{"b": 1}, {"b": 2}]}, [("a[][b]", "1"), ("a[][b]", "2")]),
        ({"a": (1.5, False)}, [("a[]", "1.5"), ("a[]", "false")]),
        ({"a": None, "b": [], "c": {}, "d": [None]}, []),
        ({"a": {7: "x"}}, [("a[7]", "x")]),
    ],
)
def test_nested_params_are_written_as_plug_reads_them(
    params: dict[str, Any], pairs: list[tuple[str, str]]
) -> None:
    """Maps become a[b]=c, lists a[]=1, booleans words, and None is left out."""
    assert parse_qsl(encode_params(params)) == pairs


@pytest.mark.contract("C16")
@pytest.mark.parametrize(
    "value", [{1, 2}, b"bytes", object(), float("nan"), float("inf"), {True: 1}, "\ud800"]
)
def test_other_params_are_refused_without_their_value(value: Any) -> None:
    """The error names where, not what."""
    with pytest.raises(InvalidOption) as caught:
        encode_params({"outer": {"inner": value}, "token": HIDDEN})
    assert HIDDEN not in str(caught.value)


@pytest.mark.contract("C114")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:4000/socket",
        "//h/socket",
        "ftp://h/socket",
        "ws://",
        "ws:///socket",
        "ws://:4000/socket",
        "ws://h:0/socket",
        "ws://h:65536/socket",
        "ws://h:port/socket",
        "ws://[::1/socket",
        "ws://a..b/socket",
        "ws://\u00b4/socket",
        "ws://a%0d%0ab/socket",
        "ws://[v1.x]/socket",
        "ws://" + "a" * 64 + "/socket",
        "ws://h/socket#fragment",
        "ws://h/socket#",
        "ws://h/so cket",
        " ws://h/socket",
        "ws://h/socket\n",
        "ws://h/socket\x00",
        "ws://h/\ud800",
        "ws://al:s3cr3t@h/socket",
        None,
        b"ws://h/socket",
        5,
    ],
)
def test_a_bad_url_is_a_typed_error(url: Any) -> None:
    """Whatever is wrong with it, the error is an InvalidURL and shows neither query nor user."""
    with pytest.raises(InvalidURL) as caught:
        build_url(url, {"token": HIDDEN})
    assert HIDDEN not in str(caught.value)
    assert caught.value.problem


@pytest.mark.contract("C16")
@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://h:4000/socket?token=s3cr3t#s3cr3t", "ws://h:4000/socket"),
        ("ws://al:s3cr3t@h/socket", "ws://h/socket"),
        ("ws://[::1]:4000/socket", "ws://[::1]:4000/socket"),
        ("s3cr3t@h", "(invalid URL)"),
        ("al:s3cr3t@h/socket", "(invalid URL)"),
        ("ws://h:s3cr3t/", "(invalid URL)"),
        (None, "(invalid URL)"),
    ],
)
def test_a_shown_url_has_no_secret(url: Any, shown: str) -> None:
    """Query, fragment and user info are left out, and nothing is ever raised."""
    assert redact_url(url) == shown
