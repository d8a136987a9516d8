"""What an error says to somebody at a shell, who can call no method and knows no option's name."""

from __future__ import annotations

from typing import Final

from phoenix_actors.cli.output import json_text
from phoenix_actors.errors import (
    ChannelClosed,
    ConnectionLost,
    InvalidOption,
    JoinRejected,
    JoinTimeout,
    NotConnected,
)

__all__ = ["told"]

# The client's option → the word of the command line that sets it.
_WORDS: Final = {
    "auth_token": "--auth-token-file",
    "headers": "--header",
    "params": "--connect-params",
    "topic": "TOPIC",
    "transport_opts.proxy": "--proxy",
    "transport_opts.ssl_opts.ca_certs": "--cacert",
    "transport_opts.ssl_opts.certfile": "--cert",
    "transport_opts.ssl_opts.keyfile": "--key",
    "url": "URL",
}


def told(error: Exception) -> str:
    """Return the sentence for an error: its own, but for those that advise a call in Python.

    Example:
        >>> told(InvalidOption("transport_opts.proxy", "has a bad port"))
        '--proxy has a bad port'
        >>> told(ChannelClosed("room:lobby", "shout"))
        "the server closed 'room:lobby', or its channel crashed, before 'shout' was answered"
    """
    match error:
        case InvalidOption(option=option, problem=problem) if option in _WORDS:
            return f"{_WORDS[option]} {problem}"
        case JoinRejected(topic=topic, response=response):
            return f"the server refused to join {topic}: {json_text(response)}"
        case JoinTimeout(topic=topic, timeout=timeout):
            return f"topic {topic!r} was not joined within {timeout} seconds"
        case ChannelClosed(topic=topic, event=event):
            closed = f"the server closed {topic!r}, or its channel crashed"
            return f"{closed}, before {event!r} was answered"
        case ConnectionLost():
            return str(error).removesuffix("; the client reconnects unless reconnect=False")
        case NotConnected():
            return str(error).removesuffix(": connect() and wait_connected() first")
        case _:
            return str(error)
