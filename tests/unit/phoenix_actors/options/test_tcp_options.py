"""What the socket below a connection is told."""

from __future__ import annotations

from phoenix_actors.options import TCPOptions, TransportOptions


def test_eight_options_have_defaults() -> None:
    """Buffers are the system's, which grow with need."""
    options = TransportOptions.of({}).tcp_opts
    assert (options.nodelay, options.keepalive, options.buffer) == (True, True, 65536)
    assert (options.send_buffer, options.recv_buffer) == (False, False)
    numbers = (options.keepalive_idle, options.keepalive_interval, options.keepalive_count)
    assert numbers == (7200, 75, 9)


def test_a_mapping_and_a_struct_are_taken() -> None:
    """What is left out keeps its default; False is the system's own."""
    given = TransportOptions.of({"tcp_opts": {"nodelay": False, "keepalive_count": False}})
    assert given.tcp_opts == TCPOptions(nodelay=False, keepalive_count=False)
    assert "nodelay=False" in repr(given)
    ready = TCPOptions(buffer=1)
    assert TransportOptions.of({"tcp_opts": ready}).tcp_opts is ready
