"""Which proxy stands between this client and its server, if any does."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self
from urllib.parse import unquote

import msgspec

from phoenix_actors.errors import InvalidOption
from phoenix_actors.options import checks
from phoenix_actors.options.endpoint import split_url

__all__ = ["Proxy", "ProxyOptions"]

_NAME: Final = "transport_opts.proxy"
_ENVIRONMENT: Final = "environment"
_PORTS: Final = {"http": 80, "socks4": 1080, "socks5": 1080, "socks5h": 1080}


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """One proxy. A repr shows neither user nor password.

    Attributes:
        scheme: http (CONNECT), socks4, socks5, or socks5h: the proxy looks the name up.
        host, port: where it listens.
        username, password: for its authentication, if it asks for one.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Proxy({self.shown!r})"

    @property
    def shown(self) -> str:
        """Its URL without user and password."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @classmethod
    def at(cls, url: Any) -> Self:
        """Return the proxy that a URL names; a bare `host:port` is an HTTP proxy.

        Raises:
            InvalidOption: it names none, or one that needs the extra `socks`.

        Example:
            >>> Proxy.at("http://al:secret@proxy:3128")
            Proxy('http://proxy:3128')
        """
        if not isinstance(url, str):
            raise InvalidOption(
                _NAME, f"must be a URL, a mapping or None, not {type(url).__name__}"
            )
        found = split_url(url if "://" in url else f"http://{url}")
        if found is None:
            raise InvalidOption(_NAME, "has a bad port or bad brackets")
        parts, port = found
        if parts.scheme not in _PORTS:
            choices = ", ".join(_PORTS)
            raise InvalidOption(_NAME, f"has the scheme {parts.scheme!r}: choose one of {choices}")
        # The host goes into a request as it is.
        if not parts.hostname or not all("!" <= letter <= "~" for letter in parts.hostname):
            raise InvalidOption(_NAME, "has no host, such as http://proxy:3128")
        if parts.scheme != "http" and importlib.util.find_spec("python_socks") is None:
            raise InvalidOption(_NAME, "needs pip install 'phoenix-actors[socks]' for SOCKS")
        return cls(
            scheme=parts.scheme,
            host=parts.hostname,
            port=port or _PORTS[parts.scheme],
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )


class ProxyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`transport_opts["proxy"]` (C175): a URL, a mapping of these, or "environment".

    The environment's proxies are used when asked for by that word, and then `http_proxy` stands for
    ws, `https_proxy` for wss, `all_proxy` for both, and `no_proxy` names who is reached directly.

    Attributes:
        url: such as "http://proxy:3128", "socks5h://proxy:1080", or "environment".
        username, password: instead of those in the URL.
        no_proxy: hosts, and domains with all their hosts, that are reached directly.

    Example:
        >>> options = ProxyOptions(url="http://proxy:3128", password="secret", no_proxy=[".local"])
        >>> options
        ProxyOptions('http://proxy:3128', password=…, no_proxy=('.local',))
        >>> options.route("chat.example.org", 443, secure=True)
        Proxy('http://proxy:3128')
        >>> options.route("chat.local", 443, secure=True) is None
        True
    """

    url: str
    username: str | None = None
    password: str | None = None
    no_proxy: tuple[str, ...] = ()

    @classmethod
    def of(cls, value: Any) -> Self | None:
        """Return what the option means; None and False mean no proxy."""
        if value is None or value is False or isinstance(value, cls):
            return value or None
        if not isinstance(value, Mapping):
            return cls(url=value)
        given = checks.string_keys(_NAME, value)
        for key in given:
            if key not in cls.__struct_fields__:
                choices = ", ".join(cls.__struct_fields__)
                raise InvalidOption(f"{_NAME}.{key}", f"is unknown: choose one of {choices}")
        if "url" not in given:
            raise InvalidOption(f"{_NAME}.url", "is required, such as http://proxy:3128")
        return cls(**given)

    def __post_init__(self) -> None:
        for name in ("username", "password"):
            if not isinstance(getattr(self, name), str | None):
                raise InvalidOption(f"{_NAME}.{name}", "must be a string")
        names = self.no_proxy
        given = names.split(",") if isinstance(names, str) else names
        if not isinstance(given, Iterable) or not all(isinstance(name, str) for name in given):
            raise InvalidOption(f"{_NAME}.no_proxy", "must be a list of hosts")
        hosts = tuple(name.strip() for name in given if name.strip())
        msgspec.structs.force_setattr(self, "no_proxy", hosts)
        if self.url != _ENVIRONMENT:
            Proxy.at(self.url)

    def route(self, host: str, port: int, *, secure: bool) -> Proxy | None:
        """Return the proxy to this server, None for the direct way; reads the environment if asked.

        Raises:
            InvalidOption: the environment names a proxy that cannot be used.
        """
        url, direct = self.url, self.no_proxy
        if url == _ENVIRONMENT:
            import urllib.request

            known = urllib.request.getproxies_environment()
            url = known.get("https" if secure else "http") or known.get("all") or ""
            direct += tuple(known.get("no", "").split(","))
        if not url or any(_names(name.strip(), host, port) for name in direct):
            return None
        proxy = Proxy.at(url)
        changed = {"username": self.username, "password": self.password}
        given = {name: value for name, value in changed.items() if value is not None}
        return msgspec.structs.replace(proxy, **given)

    def __repr__(self) -> str:
        url = self.url if self.url == _ENVIRONMENT else Proxy.at(self.url).shown
        shown = [repr(url)]
        shown += [f"{name}=…" for name in ("username", "password") if getattr(self, name)]
        if self.no_proxy:
            shown.append(f"no_proxy={self.no_proxy!r}")
        return f"ProxyOptions({', '.join(shown)})"


def _names(name: str, host: str, port: int) -> bool:
    """Tell whether a name of `no_proxy` stands for a server: `*`, a host, a domain, `host:port`.

    Example:
        >>> [_names(name, "a.local", 80) for name in ("*", ".local", "local", "a.local:81", "")]
        [True, True, True, False, False]
    """
    if name == "*":
        return True
    bare, colon, digits = name.rpartition(":")
    if colon and digits.isdecimal() and ":" not in bare.strip("[]"):
        if int(digits) != port:
            return False
        name = bare
    domain = name.strip("[]").removeprefix("*").lstrip(".").lower()
    host = host.lower()
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))
