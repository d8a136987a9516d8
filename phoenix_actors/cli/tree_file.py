"""A supervision tree as a TOML file, for `phoenix-actors run`.

    name = "shop"                     # of the topmost supervisor; optional
    strategy = "rest_for_one"         # and max_restarts, max_seconds, auto_shutdown
    shutdown_timeout = 20.0           # seconds for all of the tree; 10.0 unless given
    path = ["src"]                    # where modules are found, beside the file's own folder

    [[child]]                         # a client: the options of SocketClient, and id, restart
    client = { name = "chat", url = "ws://localhost:4000/socket/websocket" }

    [[child]]                         # an actor: its class by import path
    class = "shop.orders:Orders"
    args = ["chat"]                   # and kwargs
    name = "orders"                   # and id, restart, shutdown, significant, on_stuck, backoff
    shutdown = "infinity"             # seconds, "infinity" or "brutal_kill"

    [[child]]                         # a supervisor, with children of its own
    id = "workers"
    supervisor = { strategy = "one_for_one" }
    [[child.child]]
    class = "shop.stock:Stock"

Anywhere `{ env = "NAME" }` stands for a variable of the environment and `{ file = "PATH" }` for the
text of a file, without white space around it: so secrets stay out of the file. In a client's
`topic_channel_map` and `default_channel_module` classes are given by import path, as
`"shop.channels:Room"`. Everything is checked before anything is started; a mistake is a
`TreeFileError` that names the line and the key.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import tomllib
from pathlib import Path as FilePath
from typing import Any, Final, NoReturn

from phoenix_actors.actors.channel import ChannelActor
from phoenix_actors.cli.toml_lines import Path, lines_of
from phoenix_actors.cli.values import text_of
from phoenix_actors.client import SocketClient
from phoenix_actors.errors import InvalidOption, InvalidURL
from supervisors import (
    BRUTAL_KILL,
    Backoff,
    ChildSpec,
    ChildSpecError,
    SpecProblem,
    Supervisor,
    SupervisorSpec,
    check_childspecs,
)

__all__ = ["TreeFile", "TreeFileError"]

_RULES: Final = ("strategy", "max_restarts", "max_seconds", "auto_shutdown", "backoff")
_TOP: Final = (*_RULES, "name", "shutdown_timeout", "path", "child")
# In the order in which they are applied: whether a child may be significant depends on its restart.
_SPEC: Final = ("id", "restart", "shutdown", "significant", "name", "on_stuck", "backoff")
_KINDS: Final = ("class", "client", "supervisor")
_SHUTDOWN: Final = {"infinity": None, "brutal_kill": BRUTAL_KILL}
# Of so many characters a word may have a value by chance.
_SHORT: Final = 3
_TOO_DEEP: Final = "is nested too deep"
# What a rule is called by the error that is about it.
_PROBLEMS: Final = {"intensity": "max_restarts", "period": "max_seconds"}


class TreeFileError(ValueError):
    """The file cannot be used; `.line` and `.key` say where, as far as that is known."""

    def __init__(self, file: str, line: int | None, key: str, problem: str) -> None:
        where = file if line is None else f"{file}, line {line}"
        super().__init__(f"{where}: {key}{': ' if key else ''}{problem}")
        self.line = line
        self.key = key
        self.problem = problem


class TreeFile:
    """One file, read and checked: `children` and `options` are for `supervisors.run`.

    Raises:
        TreeFileError: it cannot be read, is no TOML, or does not describe a tree.
    """

    def __init__(self, file: str) -> None:
        """Read it; modules that it names are imported."""
        self._file = file
        self._folder = FilePath(file).resolve().parent
        self._lines: dict[Path, int] = {}
        # What variables and files held, and what to write in its place in a mistake.
        self._held: dict[str, str] = {}
        try:
            text = text_of(FilePath(file))
            table = tomllib.loads(text)
        except OSError as error:
            self._fail((), f"cannot be read: {error.strerror}")
        except ValueError as error:
            # tomllib's own says the line and the column.
            self._fail((), f"is no TOML: {error}")
        except RecursionError:
            self._fail((), _TOO_DEEP)
        self._lines = lines_of(text)
        try:
            self._describe(self._filled((), table))
        except RecursionError:
            self._fail((), _TOO_DEEP)

    def _describe(self, top: dict[str, Any]) -> None:
        """Make children and options of the topmost table."""
        self._check_keys((), top, _TOP)
        for folder in self._list(("path",), top.pop("path", [])):
            self._find_modules_in(self._text(("path",), folder))
        self._find_modules_in(".")
        self.options = self._rules((), top)
        self.children = self._children((), top.get("child", []), self.options)
        self.options["name"] = self._text(("name",), top["name"]) if "name" in top else None
        if "shutdown_timeout" in top:
            self.options["shutdown_timeout"] = self._seconds(("shutdown_timeout",), top)

    # ---- parts --------------------------------------------------------------------------------

    def _children(self, above: Path, entries: Any, rules: dict[str, Any]) -> list[ChildSpec]:
        where = (*above, "child")
        specs = [
            self._child((*where, number), entry)
            for number, entry in enumerate(self._list(where, entries))
        ]
        mode = rules.get("auto_shutdown", "never")
        for number in range(len(specs)):
            try:
                check_childspecs(specs[: number + 1], auto_shutdown=mode)
            except ChildSpecError as error:
                double = error.problem is SpecProblem.DUPLICATE_ID
                self._fail((*where, number, "id" if double else "significant"), str(error))
        return specs

    def _child(self, where: Path, entry: Any) -> ChildSpec:
        kinds = [kind for kind in _KINDS if kind in self._table(where, entry)]
        if len(kinds) != 1:
            self._fail(where, f"must have one of {', '.join(_KINDS)}, not {len(kinds)} of them")
        match kinds[0]:
            case "class":
                self._check_keys(where, entry, ("class", "args", "kwargs", *_SPEC))
                return self._settled(where, self._class_spec(where, entry), entry)
            case "client":
                self._check_keys(where, entry, ("client", "id", "restart"))
                return self._settled(where, self._client_spec(where, entry["client"]), entry)
            case _:
                self._check_keys(where, entry, ("supervisor", "child", *_SPEC))
                rules = self._rules((*where, "supervisor"), entry["supervisor"], only=_RULES)
                children = self._children(where, entry.get("child", []), rules)
                spec = Supervisor.child_spec(children, **rules)
                return self._settled(where, spec, entry)

    def _class_spec(self, where: Path, entry: dict[str, Any]) -> ChildSpec:
        found = self._imported((*where, "class"), entry["class"])
        if isinstance(found, type) and issubclass(found, ChannelActor):
            told = "is a ChannelActor, which a client starts: put it into its topic_channel_map"
            self._fail((*where, "class"), told)
        try:
            spec = check_childspecs([found])[0]
        except ChildSpecError as error:
            self._fail((*where, "class"), str(error))
        arguments: dict[str, Any] = {}
        if "args" in entry:
            arguments["args"] = tuple(self._list((*where, "args"), entry["args"]))
        if "kwargs" in entry:
            arguments["kwargs"] = self._table((*where, "kwargs"), entry["kwargs"])
        return spec.with_(**arguments)

    def _client_spec(self, where: Path, value: Any) -> ChildSpec:
        where = (*where, "client")
        options = dict(self._table(where, value))
        topics = options.get("topic_channel_map")
        if topics is not None:
            place = (*where, "topic_channel_map")
            options["topic_channel_map"] = {
                topic: self._imported((*place, topic), name)
                for topic, name in self._table(place, topics).items()
            }
        if "default_channel_module" in options:
            place = (*where, "default_channel_module")
            options["default_channel_module"] = self._imported(place, value[place[-1]])
        try:
            return SocketClient.child_spec(**options)
        except InvalidOption as error:
            self._fail((*where, error.option), error.problem)
        except InvalidURL as error:
            self._fail((*where, "url"), str(error))
        except TypeError as error:
            self._fail(where, str(error))

    def _settled(self, where: Path, spec: ChildSpec, entry: dict[str, Any]) -> ChildSpec:
        """Return the spec with the entry's keys, one after another, so that one is to blame."""
        for key in _SPEC:
            if key not in entry:
                continue
            value = entry[key]
            if key == "shutdown" and isinstance(value, str):
                if value not in _SHUTDOWN:
                    words = " or ".join(map(repr, _SHUTDOWN))
                    self._fail((*where, key), f"must be seconds, {words}, not {value!r}")
                value = _SHUTDOWN[value]
            if key == "backoff":
                value = self._backoff((*where, key), value)
            if key == "name":
                value = self._text((*where, key), value)
            try:
                spec = spec.with_(**{key: value})
            except ChildSpecError as error:
                self._fail((*where, key), str(error))
        if "id" not in entry and "name" in entry:
            spec = spec.with_(id=entry["name"])
        return spec

    def _rules(self, where: Path, value: Any, only: tuple[str, ...] = ()) -> dict[str, Any]:
        table = self._table(where, value)
        if only:
            self._check_keys(where, table, only)
        if "strategy" not in table:
            self._fail(where, "strategy is missing: one_for_one, one_for_all or rest_for_one")
        rules: dict[str, Any] = {key: table[key] for key in _RULES if key in table}
        if "backoff" in rules:
            rules["backoff"] = self._backoff((*where, "backoff"), rules["backoff"])
        try:
            SupervisorSpec([], **rules)
        except ChildSpecError as error:
            word = str(error.problem).removeprefix("bad_")
            self._fail((*where, _PROBLEMS.get(word, word)), str(error))
        return rules

    def _backoff(self, where: Path, value: Any) -> Backoff:
        try:
            return Backoff(**self._table(where, value))
        except (TypeError, ValueError) as error:
            self._fail(where, str(error))

    def _seconds(self, where: Path, table: dict[str, Any]) -> float | None:
        value = table[str(where[-1])]
        if value == "infinity":
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            self._fail(where, f"must be seconds, 0 or more, or 'infinity', not {value!r}")
        return float(value)

    # ---- values -------------------------------------------------------------------------------

    def _imported(self, where: Path, value: Any) -> Any:
        """Return the class that `module:Name` means."""
        module, colon, name = str(value).partition(":")
        if not isinstance(value, str) or not (module and colon and name):
            self._fail(where, f"must be an import path such as 'shop.orders:Orders', not {value!r}")
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                if not hasattr(found, part):
                    close = difflib.get_close_matches(part, dir(found), 1)
                    hint = f": did you mean {close[0]!r}?" if close else ""
                    self._fail(where, f"{module!r} has no {name!r}{hint}")
                found = getattr(found, part)
        except TreeFileError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  a module may raise anything
            self._fail(where, f"cannot import {module!r}: {type(error).__name__}: {error}", error)
        return found

    def _filled(self, where: Path, value: Any) -> Any:
        """Return a value in which variables and files are replaced by what they hold."""
        if isinstance(value, list):
            return [self._filled((*where, n), item) for n, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        match value:
            case {"env": str(name), **rest} if not rest:
                if name not in os.environ:
                    self._fail(where, f"the environment has no variable {name}")
                return self._hold(os.environ[name], f"<{name}>")
            case {"file": str(name), **rest} if not rest:
                try:
                    return self._hold(text_of(self._folder / name).strip(), f"<{name}>")
                except UnicodeDecodeError:
                    self._fail(where, f"cannot read {name!r}: it is not UTF-8")
                except (OSError, ValueError) as error:
                    why = getattr(error, "strerror", None) or error
                    self._fail(where, f"cannot read {name!r}: {why}")
        return {key: self._filled((*where, key), item) for key, item in value.items()}

    def _hold(self, value: str, source: str) -> str:
        self._held[value] = source
        return value

    def _find_modules_in(self, folder: str) -> None:
        path = str((self._folder / folder).resolve())
        if path not in sys.path:
            sys.path.insert(0, path)

    # ---- mistakes -----------------------------------------------------------------------------

    def _check_keys(self, where: Path, table: dict[str, Any], known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                close = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {close[0]!r}? " if close else ""
                choices = ", ".join(sorted(known))
                self._fail((*where, key), f"is unknown: {hint}choose one of {choices}")

    def _table(self, where: Path, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._fail(where, f"must be a table, not {type(value).__name__}")
        table: dict[str, Any] = value
        return table

    def _text(self, where: Path, value: Any) -> str:
        if not isinstance(value, str):
            self._fail(where, f"must be text, not {type(value).__name__}")
        return value

    def _list(self, where: Path, value: Any) -> list[Any]:
        if not isinstance(value, list):
            self._fail(where, f"must be a list, not {type(value).__name__}")
        items: list[Any] = value
        return items

    def _fail(self, where: Path, problem: str, cause: BaseException | None = None) -> NoReturn:
        line = None
        for length in range(len(where), 0, -1):
            line = self._lines.get(where[:length])
            if line is not None:
                break
        for value in sorted(self._held, key=len, reverse=True):
            # A short one may be a part of any word: it is hidden where it is quoted.
            forms = (repr(value), value) if len(value) > _SHORT else (repr(value),)
            for form in forms:
                problem = problem.replace(form, self._held[value])
        raise TreeFileError(self._file, line, _shown(where), problem) from cause


def _shown(where: Path) -> str:
    """Return a path as a reader counts: children from 1.

    Example:
        >>> _shown(("child", 1, "client", "url"))
        'child 2, client.url'
    """
    text = ""
    for part in where:
        if isinstance(part, int):
            text += f" {part + 1}, "
        else:
            text += part if not text or text.endswith(" ") else f".{part}"
    return text.rstrip(", ")
