"""From the URL a user gives to the one that is opened: path, query, version.

`ws://host:4000/socket` is completed to `…/socket/websocket` (C1), `http` and `https` become `ws`
and `wss` (C2), a query in the URL is kept and the params follow it, and `vsn` is there exactly
once, as the option says; one in the URL or in the params is left out (C3, C4, C5).

Params are written as phoenix.js and Plug write them: `{"a": {"b": 1}}` is `a[b]=1`,
`{"a": [1, 2]}` is `a[]=1&a[]=2`, booleans are `true` and `false`, a None is left out (C7).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_plus, urlsplit

from phoenix_actors.errors import InvalidOption, InvalidURL
from phoenix_actors.options.checks import encodes

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["build_url", "encode_params", "plain_url", "redact_url", "split_url"]

_SCHEMES: Final = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}
_BLANK: Final = re.compile(r"[\x00-\x20\x7f]")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_IPV6: Final = re.compile(r"\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]")
# A URL in which nothing has to be checked further, escaped or changed, as good as all are.
_PLAIN: Final = re.compile(
    r"(ws|wss|http|https)://"
    r"((?:[a-z0-9-]{1,63}\.)*[a-z0-9-]{1,63})"
    r"(?::([1-9][0-9]{0,3}|[1-5][0-9]{4}))?"
    r"((?:/[A-Za-z0-9._~-]+)*/?)"
    r"(?:\?([A-Za-z0-9._~=&%+-]+))?",
    re.ASCII,
)
# What may stand in a path and in a query as it is, "%" since both may be encoded already.
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"
_QUERY_SAFE: Final = "/%:@!$&'()*+,;=~-._?[]"


def build_url(url: str, params: Mapping[str, Any] | None = None, vsn: str = "2.0.0") -> str:
    """Return the URL to open for an endpoint, its params and the version of the protocol.

    Raises:
        InvalidURL: for a scheme other than ws, wss, http, https, without a host, with a bad port,
            a fragment, user info, white space or control characters.
        InvalidOption: for params that are no strings, numbers, booleans, mappings or lists.

    Example:
        >>> build_url("https://example.org/socket?x=1", {"token": "a+b", "room": {"id": 7}})
        'wss://example.org/socket/websocket?x=1&token=a%2Bb&room%5Bid%5D=7&vsn=2.0.0'
    """
    encoded = ""
    if params:
        encoded = encode_params({key: value for key, value in params.items() if key != "vsn"})
    plain = plain_url(url)
    if plain is not None:
        scheme, authority, path, given = plain[1], plain[2], plain[4], plain[5] or ""
        if plain[3]:
            authority += f":{plain[3]}"
    else:
        parts = _split(url)
        scheme, path, given = parts.scheme, quote(parts.path, safe=_PATH_SAFE), parts.query
        authority = _authority(url, parts)
    path = path.rstrip("/")
    if not path.endswith("/websocket"):
        path += "/websocket"
    query = [
        quote(piece, safe=_QUERY_SAFE) for piece in given.split("&") if not _is_left_out(piece)
    ]
    if encoded:
        query.append(encoded)
    query.append(f"vsn={vsn if vsn == '2.0.0' else quote(vsn, safe='')}")
    return f"{_SCHEMES[scheme]}://{authority}{path}?{'&'.join(query)}"


def encode_params(params: Mapping[str, Any]) -> str:
    """Return params as a query; see the rules at the top of this file.

    Raises:
        InvalidOption: names the key that cannot be written, not its value.

    Example:
        >>> encode_params({"name": "é &", "tags": ["a", "b"], "admin": True, "none": None})
        'name=%C3%A9%20%26&tags%5B%5D=a&tags%5B%5D=b&admin=true'
    """
    pairs = list(_flatten("", params))
    if not all(encodes(text) for pair in pairs for text in pair):
        raise InvalidOption("params", "has a character that UTF-8 does not have")
    return "&".join(f"{_escape(name)}={_escape(value)}" for name, value in pairs)


def plain_url(url: Any) -> re.Match[str] | None:
    """Return scheme, host, port, path and query of a URL of which no part is odd, else None.

    The others may be good, too; what these have is what `split_url` finds.

    Example:
        >>> plain_url("ws://h:4000/socket").groups()
        ('ws', 'h', '4000', '/socket', None)
        >>> plain_url("ws://[::1]/socket") is None
        True
    """
    return _PLAIN.fullmatch(url) if type(url) is str else None


def split_url(url: str) -> tuple[SplitResult, int | None] | None:
    """Return the parts of a URL and its port, or None for bad ones: that error holds a part."""
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:
        return None


def redact_url(url: Any) -> str:
    """Return scheme, host, port and path of a URL, for texts: no query, no user info. Never raises.

    Example:
        >>> redact_url("ws://al:secret@h:4000/socket?token=secret")
        'ws://h:4000/socket'
    """
    plain = plain_url(url)
    if plain is not None:
        text: str = url
        return text if plain[5] is None else text[: plain.start(5) - 1]
    port: int | None = None
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        name = parts.hostname
        if not parts.scheme or not name:
            return "(invalid URL)"
        port = parts.port
    except ValueError:
        return "(invalid URL)"
    host = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path}"


def _split(url: str) -> SplitResult:
    """Return the parts of a URL that can be opened."""
    if not isinstance(url, str):
        raise InvalidURL(f"must be a string, not {type(url).__name__}")
    if _BLANK.search(url):
        raise InvalidURL("has white space or a control character", url=redact_url(url))
    if not encodes(url):
        raise InvalidURL("has a character that UTF-8 does not have")
    found = split_url(url)
    if found is None:
        raise InvalidURL("has a bad port or bad brackets", url=redact_url(url))
    parts, port = found
    problem = None
    if parts.scheme not in _SCHEMES:
        problem = f"has the scheme {parts.scheme!r}, not ws, wss, http or https"
    elif "@" in parts.netloc:
        problem = "has user info: pass a header Authorization instead"
    elif not parts.hostname:
        problem = "has no host"
    elif port == 0:
        problem = "has port 0"
    elif parts.fragment or url.endswith("#"):
        problem = "has a fragment"
    if problem is not None:
        raise InvalidURL(problem, url=redact_url(url))
    return parts


def _authority(url: str, parts: SplitResult) -> str:
    """Return host and port as they go on the wire, IPv6 addresses in brackets."""
    host = parts.hostname or ""
    try:
        # The encoding of names turns some letters into others, so its result is what is checked.
        host = f"[{host}]" if "[" in parts.netloc else host.encode("idna").decode("ascii")
    except UnicodeError:
        host = ""
    if not _NAME.fullmatch(host) and not _IPV6.fullmatch(host):
        raise InvalidURL("has a host that is neither a name nor an address", url=redact_url(url))
    port = parts.port
    return host if port is None else f"{host}:{port}"


def _is_left_out(piece: str) -> bool:
    """Tell whether a piece of a query is none, or sets the version."""
    return not piece or unquote_plus(piece.partition("=")[0]) == "vsn"


def _escape(text: str) -> str:
    """Return text for a query, everything but letters, digits and -._~ escaped (C6)."""
    return quote(text, safe="")


def _flatten(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield name and text of each plain value below `value`."""
    match value:
        case None:
            return
        case bool():
            yield path, "true" if value else "false"
        case str():
            yield path, str(value)
        case int():
            yield path, str(int(value))
        case float() if math.isfinite(value):
            yield path, repr(float(value))
        case Mapping():
            for key, inner in value.items():
                if not isinstance(key, str | int) or isinstance(key, bool):
                    kind = type(key).__name__
                    raise InvalidOption("params", f"must have strings as keys, not {kind}")
                yield from _flatten(f"{path}[{key}]" if path else str(key), inner)
        case list() | tuple():
            for inner in value:
                yield from _flatten(f"{path}[]", inner)
        case _:
            kind = (
                "a number that is not finite" if isinstance(value, float) else type(value).__name__
            )
            raise InvalidOption(
                "params",
                f"has {kind} at {path!r}: use strings, numbers, booleans, mappings and lists",
            )
