"""`phoenix-actors run`: a program that is nothing but the tree in a file."""

from __future__ import annotations

import argparse
import logging
from contextlib import ExitStack

from phoenix_actors.cli.codes import EXIT_FAILED, EXIT_OK
from phoenix_actors.cli.output import notice, put
from phoenix_actors.cli.tree_file import TreeFile
from supervisors import ChildSpec, NotAvailableError, StartError, SupervisorSpec
from supervisors import run as run_tree

__all__ = ["LEVELS", "run"]

LEVELS = ("debug", "info", "warning", "error")


def run(parsed: argparse.Namespace) -> int:
    """Run the tree until it ends or a signal stops it; return the exit code of `supervisors.run`.

    Raises:
        TreeFileError: the file is wrong; nothing was started.
    """
    file = TreeFile(parsed.file)
    if parsed.check:
        for line in _lines(file.children, ""):
            put(line)
        return EXIT_OK
    logging.basicConfig(
        level=parsed.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    from supervisors import observer

    with ExitStack() as stack:
        option = f"--observe {parsed.observe}"
        try:
            if parsed.observe is not None:
                stack.enter_context(observer.serve(parsed.observe))
            if parsed.health is not None:
                host, port = parsed.health
                option = f"--health {host}:{port}"
                stack.enter_context(observer.serve_health(port, host=host))
        except (OSError, NotAvailableError) as error:
            why = getattr(error, "strerror", None) or error
            notice(f"{option}: {why}")
            return EXIT_FAILED
        try:
            return run_tree(file.children, **file.options)
        except StartError as error:
            notice(f"the tree did not start: {_why(error)}")
            return EXIT_FAILED


def _why(error: BaseException) -> str:
    """Return what did not start, and where an init raised; an exception's text may hold secrets."""
    while isinstance(error.__cause__, StartError):
        error = error.__cause__
    trace = getattr(getattr(error, "reason", None), "trace", ())
    return f"{error}{f', {trace[-1].file}:{trace[-1].line}' if trace else ''}"


def _lines(children: list[ChildSpec], indent: str) -> list[str]:
    lines = []
    for spec in children:
        lines.append(f"{indent}{spec.id}  {spec.type}  {spec.restart}")
        below = spec.args[0] if spec.args else None
        if isinstance(below, SupervisorSpec):
            lines += _lines(below.children, f"{indent}  ")
    return lines
