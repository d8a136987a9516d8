"""The options of a client and of its transport, and the URL that they make.

`SocketOptions` is what a client is started with, `TransportOptions` what a transport gets with each
connection, `build_url` the endpoint with its query.
"""

from __future__ import annotations

from phoenix_actors.options.checks import Headers, Schedule, SteppedDelays, topic_pattern
from phoenix_actors.options.endpoint import build_url, encode_params, redact_url
from phoenix_actors.options.json_library import JsonLibrary
from phoenix_actors.options.proxy_options import Proxy, ProxyOptions
from phoenix_actors.options.socket_options import Overflow, SocketOptions
from phoenix_actors.options.tcp_options import TCPOptions
from phoenix_actors.options.transport_options import SSLOptions, TransportOptions

__all__ = [
    "Headers",
    "JsonLibrary",
    "Overflow",
    "Proxy",
    "ProxyOptions",
    "SSLOptions",
    "Schedule",
    "SocketOptions",
    "SteppedDelays",
    "TCPOptions",
    "TransportOptions",
    "build_url",
    "encode_params",
    "redact_url",
    "topic_pattern",
]
