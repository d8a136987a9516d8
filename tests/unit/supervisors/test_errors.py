"""Errors: what else they are, and that they travel."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pykka
import pytest

from supervisors import errors
from supervisors.errors import (
    ActorError,
    AlreadyPresentError,
    AlreadyRegisteredError,
    AlreadyStartedError,
    CallTimeout,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
    ChildSpecError,
    ChildStuckError,
    CircuitOpenError,
    LockHeldError,
    MailboxFullError,
    MaxChildrenError,
    NoPartitionError,
    NoProcError,
    NotAvailableError,
    NotUniqueError,
    SelfCallError,
    SpecProblem,
    StartError,
    StartTimeout,
    StashFullError,
    TaskAwaitError,
    UnexpectedMessageError,
    UnhandledMessageError,
    UnknownRegistryError,
    UnsupportedRequestError,
)
from supervisors.exits import Killed

EXAMPLES: list[tuple[ActorError, dict[str, Any]]] = [
    (StartError("x", reason=Killed(), child_id="a"), {"reason": Killed(), "child_id": "a"}),
    (AlreadyStartedError("name", "ref"), {"ref": "ref"}),
    (StartTimeout("x", reason=Killed()), {"reason": Killed()}),
    (CallTimeout(1.5), {"timeout": 1.5}),
    (NoPartitionError("who", 2), {"partition": 2}),
    (TaskAwaitError("<Task f>", "is over"), {}),
    (NoProcError("who", Killed()), {"reason": Killed()}),
    (SelfCallError("who"), {}),
    (MailboxFullError("who", 3), {"limit": 3}),
    (StashFullError("who", 3), {"limit": 3}),
    (CircuitOpenError("db", 1.5), {"name": "db", "retry_after": 1.5}),
    (UnhandledMessageError("who", "handle_call", 1), {"handler": "handle_call"}),
    (UnexpectedMessageError("who", 1), {}),
    (
        ChildSpecError(SpecProblem.BAD_TYPE, "text", 3),
        {"problem": SpecProblem.BAD_TYPE, "value": 3},
    ),
    (AlreadyPresentError("a"), {"child_id": "a"}),
    (ChildRunningError("a"), {"child_id": "a"}),
    (ChildRestartingError("a"), {"child_id": "a"}),
    (ChildStuckError("a"), {"child_id": "a"}),
    (ChildNotFoundError("a"), {"child_id": "a"}),
    (MaxChildrenError(3), {"max_children": 3}),
    (UnsupportedRequestError("delete_child"), {"request": "delete_child"}),
    (AlreadyRegisteredError("key", "ref"), {"key": "key", "ref": "ref"}),
    (UnknownRegistryError("rooms"), {}),
    (NotUniqueError("via()", "rooms"), {}),
    (LockHeldError("key"), {"key": "key"}),
    (NotAvailableError("top"), {}),
]


@pytest.mark.parametrize(
    ("error", "fields"), EXAMPLES, ids=[type(error).__name__ for error, _ in EXAMPLES]
)
def test_pickles(error: ActorError, fields: dict[str, Any]) -> None:
    """Type, text and fields survive a journey to another process."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert {name: getattr(copy, name) for name in fields} == fields


def test_every_error_is_an_example() -> None:
    """No error of the package is left out above."""
    public = {getattr(errors, name) for name in errors.__all__}
    concrete = {cls for cls in public if inspect.isclass(cls) and issubclass(cls, ActorError)}
    assert {type(error) for error, _ in EXAMPLES} == concrete - {ActorError}


def test_fields_that_do_not_pickle() -> None:
    """What cannot travel comes out as the name of its type."""
    copy = pickle.loads(pickle.dumps(AlreadyStartedError("name", lambda: None)))  # noqa: S301
    assert copy.ref == "<function>"


@pytest.mark.parametrize(
    ("error", "kinds"),
    [
        (CallTimeout(1), (pykka.Timeout, TimeoutError)),
        (StartTimeout("x"), (StartError, TimeoutError)),
        (NoProcError("who"), (pykka.ActorDeadError, LookupError)),
        (ChildSpecError(SpecProblem.BAD_TYPE, "x"), (ValueError,)),
        (ChildNotFoundError("a"), (LookupError,)),
        (UnknownRegistryError("a"), (LookupError,)),
        (NotAvailableError("a"), (NotImplementedError,)),
        (AlreadyStartedError("a", None), (StartError,)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_is_also(error: ActorError, kinds: tuple[type, ...]) -> None:
    """Code that was written for Pykka or for plain Python catches them too."""
    assert all(isinstance(error, kind) for kind in (*kinds, ActorError))


def test_messages_are_named_by_type() -> None:
    """The content of a message is in no error."""
    for error in (
        UnhandledMessageError("who", "handle_call", {"token": "s3cret"}),
        UnexpectedMessageError("who", {"token": "s3cret"}),
    ):
        assert "dict" in str(error)
        assert "s3cret" not in str(error)
