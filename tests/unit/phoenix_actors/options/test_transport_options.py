"""Options of a transport."""

from __future__ import annotations

import ssl
from typing import Any

import pytest

from phoenix_actors.errors import InvalidOption
from phoenix_actors.options import SSLOptions, TransportOptions

HIDDEN = "s3cr3t"


def test_defaults_are_those_of_the_documentation() -> None:
    """Ten seconds to connect, sixteen MiB for a message."""
    options = TransportOptions.of({})
    assert options.connect_timeout == 10.0
    assert options.longpoll_timeout == 20.0
    assert options.max_message_size == 16 * 1024 * 1024


def test_a_mapping_is_taken_and_options_are_kept() -> None:
    """Numbers become floats, ssl_opts a struct, and ready options stay the same object."""
    options = TransportOptions.of(
        {"connect_timeout": 3, "ssl_opts": {"verify": False}, "compression": False, "proxy": None}
    )
    assert options == TransportOptions(connect_timeout=3.0, ssl_opts=SSLOptions(verify=False))
    assert TransportOptions.of(options) is options
    ready = SSLOptions(verify=False)
    assert TransportOptions.of({"ssl_opts": ready}).ssl_opts is ready
    waiting = TransportOptions.of({"longpoll_timeout": 60})
    assert (waiting.longpoll_timeout, "longpoll_timeout=60.0" in repr(waiting)) == (60.0, True)
    assert "longpoll_timeout" not in repr(options)


@pytest.mark.parametrize(
    ("given", "option", "said"),
    [
        ({"connect_timout": 1}, "transport_opts.connect_timout", "did you mean 'connect_timeout'"),
        ({"x": 1}, "transport_opts.x", "choose one of compression, connect_timeout"),
        ({"tcp_opts": 1}, "transport_opts.tcp_opts", "a mapping"),
        ({"tcp_opts": {"delay": 1}}, "transport_opts.tcp_opts.delay", "choose one of buffer"),
        ({"tcp_opts": {"nodelay": 1}}, "transport_opts.tcp_opts.nodelay", "True or False"),
        ({"tcp_opts": {"buffer": 0}}, "transport_opts.tcp_opts.buffer", "1 or more"),
        ({"tcp_opts": {"recv_buffer": True}}, "transport_opts.tcp_opts.recv_buffer", "whole"),
        (
            {"tcp_opts": {"keepalive_count": 128}},
            "transport_opts.tcp_opts.keepalive_count",
            "127 or less",
        ),
        ({"compression": 0}, "transport_opts.compression", "True or False"),
        ({"proxy": "ftp://p"}, "transport_opts.proxy", "choose one of http, socks4"),
        ({"proxy": 1}, "transport_opts.proxy", "a URL"),
        ({"proxy": "http://"}, "transport_opts.proxy", "has no host"),
        ({"proxy": "http://p:x"}, "transport_opts.proxy", "bad port"),
        ({"proxy": {"host": "p"}}, "transport_opts.proxy.host", "choose one of url"),
        ({"proxy": {"no_proxy": []}}, "transport_opts.proxy.url", "is required"),
        ({"proxy": {"url": "p:1", "no_proxy": 1}}, "transport_opts.proxy.no_proxy", "a list"),
        ({"proxy": {"url": "p:1", "password": 1}}, "transport_opts.proxy.password", "a string"),
        ({"auth_token": "x"}, "transport_opts.auth_token", "is unknown"),
        ({"connect_timeout": 0}, "transport_opts.connect_timeout", "longer than 0"),
        ({"send_timeout": "1"}, "transport_opts.send_timeout", "seconds"),
        ({"max_message_size": 0}, "transport_opts.max_message_size", "1 or more"),
        ({"ssl_opts": {"ca": 1}}, "transport_opts.ssl_opts.ca", "choose one of ca_certs"),
        ({"ssl_opts": {"verify": 1}}, "transport_opts.ssl_opts.verify", "True or False"),
        ({"ssl_opts": {"context": 1}}, "transport_opts.ssl_opts.context", "SSLContext"),
        ({"ssl_opts": {"ca_certs": 1}}, "transport_opts.ssl_opts.ca_certs", "a str"),
        ({"ssl_opts": 1}, "transport_opts.ssl_opts", "a mapping"),
        ([], "transport_opts", "a mapping"),
    ],
)
def test_what_means_nothing_is_refused(given: Any, option: str, said: str) -> None:
    """No key is accepted and ignored: the error names it and what there is."""
    with pytest.raises(InvalidOption, match=said) as caught:
        TransportOptions.of(given)
    assert caught.value.option == option


def test_options_made_directly_are_checked_too() -> None:
    """There is no way around the checks."""
    with pytest.raises(InvalidOption):
        TransportOptions(connect_timeout=-1)
    assert TransportOptions(connect_timeout=None).connect_timeout is None


@pytest.mark.contract("C16")
def test_reprs_show_no_secret() -> None:
    """A password and the values of headers are not shown."""
    options = TransportOptions(
        headers=(("authorization", HIDDEN),),
        ssl_opts=SSLOptions(password=HIDDEN, context=ssl.create_default_context()),
    )
    assert HIDDEN not in repr(options)
    assert "authorization" in repr(options)
    assert "password=…" in repr(options)
