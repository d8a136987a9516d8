"""Reads the query of a URL into connect params as Plug does: `a[b]=c` is a map, `a[]=1` a list."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

__all__ = ["decode_query"]

_NESTED = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")


def decode_query(query: str) -> dict[str, Any]:
    """Returns the params of a query; of two equal keys the last one counts.

    A percent sign that begins no escape stands for itself.

    Raises:
        ValueError: when what an escape stands for is not UTF-8.

    Example:
        >>> decode_query("vsn=2.0.0&t=a%20b%2Bc+d&user[name]=al&tags[]=x&tags[]=y&empty=")
        {'vsn': '2.0.0', 't': 'a b+c d', 'user': {'name': 'al'}, 'tags': ['x', 'y'], 'empty': ''}
        >>> decode_query("a[][b]=1&a[][b]=2&c[d][e]=3&c[d][f]=4&odd]=5&alone")
        {'a': [{'b': '1'}, {'b': '2'}], 'c': {'d': {'e': '3', 'f': '4'}}, 'odd]': '5', 'alone': ''}
    """
    params: dict[str, Any] = {}
    for part in query.split("&"):
        if part:
            key, _, value = part.partition("=")
            _insert(
                params,
                _path(unquote_plus(key, errors="strict")),
                unquote_plus(value, errors="strict"),
            )
    return params


def _path(key: str) -> list[str]:
    match = _NESTED.fullmatch(key)
    return [key] if match is None else [match[1], *match[2][1:-1].split("][")]


def _insert(params: dict[str, Any], path: list[str], value: str) -> None:
    key, rest = path[0], path[1:]
    present = params.get(key)
    if not rest:
        params[key] = value
    elif rest[0]:
        inner = present if isinstance(present, dict) else {}
        _insert(inner, rest, value)
        params[key] = inner
    else:
        items = present if isinstance(present, list) else []
        items.append(_item(rest[1:], value))
        params[key] = items


def _item(path: list[str], value: str) -> Any:
    if not path:
        return value
    item: dict[str, Any] = {}
    _insert(item, path, value)
    return item
