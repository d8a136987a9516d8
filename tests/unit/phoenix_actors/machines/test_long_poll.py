"""One session of long poll: polls, posts, and how it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_actors.machines.long_poll import (
    AbortRequested,
    CancelPoll,
    CloseRequested,
    Deliver,
    Ended,
    LongPollCommand,
    LongPollEvent,
    LongPollMachine,
    LongPollPhase,
    MessageQueued,
    Open,
    Poll,
    PollAnswered,
    PollFailed,
    Post,
    PostAnswered,
    PostFailed,
    Refuse,
)

TOKEN = "token"  # noqa: S105  one of nobody


def opened() -> LongPollMachine:
    """Return an open session."""
    session = LongPollMachine()
    assert session.handle(PollAnswered(410, TOKEN)) == [Open(), Poll(TOKEN)]
    return session


def posted(commands: list[LongPollCommand]) -> list[bytes]:
    """Return the lines of the one POST that is asked for."""
    (post,) = commands
    assert isinstance(post, Post)
    assert post.token == TOKEN
    return post.body.split(b"\n")


# -- polling


@pytest.mark.contract("C139")
def test_a_new_token_opens() -> None:
    """And is polled with at once."""
    session = opened()
    assert session.phase is LongPollPhase.OPEN
    assert session.ending is None


@pytest.mark.contract("C139")
@pytest.mark.parametrize("answer", [PollAnswered(403), PollAnswered(500), PollAnswered(410)])
def test_anything_else_refuses(answer: PollAnswered) -> None:
    """There is no session, and no message of a later answer counts."""
    session = LongPollMachine()
    assert session.handle(answer) == [Refuse(answer.status)]
    assert session.handle(PollAnswered(410, TOKEN)) == []


@pytest.mark.contract("C139")
def test_messages_are_delivered_and_the_next_poll_follows() -> None:
    """200 brings messages, 204 none; the token of the answer is the next one's."""
    session = opened()
    answer = PollAnswered(200, "newer", ("[1]", b"\x00"))
    assert session.handle(answer) == [Deliver(("[1]", b"\x00")), Poll("newer")]
    assert session.handle(PollAnswered(204)) == [Poll("newer")]


@pytest.mark.contract("C139")
@pytest.mark.parametrize(
    ("event", "code", "reason"),
    [
        (PollAnswered(410, "another"), 3410, "the session is gone"),
        (PollAnswered(403), 1008, "forbidden"),
        (PollAnswered(500), 1011, "the server answered with status 500"),
        (PollAnswered(0), 1011, "the server answered with status 0"),
        (PollFailed("why"), 1006, "why"),
    ],
)
def test_a_session_ends_with_what_a_poll_is_told(
    event: LongPollEvent, code: int, reason: str
) -> None:
    """Its channels have to be joined anew, so no token goes on with it."""
    session = opened()
    assert session.handle(event) == [Ended(code, reason, clean=False)]
    assert session.phase is LongPollPhase.ENDED
    assert session.handle(PollAnswered(410, TOKEN)) == []


def test_hasty_answers_without_messages_are_paced() -> None:
    """As those of a cache on the way; an answer with messages is not held up."""
    session = opened()
    assert session.handle(PollAnswered(204, TOKEN, took=0.001)) == [Poll(TOKEN, delay=0.5)]
    assert session.handle(PollAnswered(200, TOKEN, took=0.001)) == [Poll(TOKEN, delay=0.5)]
    brought = session.handle(PollAnswered(200, TOKEN, ("[1]",), took=0.001))
    assert brought[-1] == Poll(TOKEN)


# -- posting


@pytest.mark.contract("C140")
def test_what_comes_while_a_post_is_out_goes_together() -> None:
    """In its order, and at most 100 in one."""
    session = opened()
    assert posted(session.handle(MessageQueued(b"[0]"))) == [b"[0]"]
    for number in range(1, 151):
        assert session.handle(MessageQueued(b"[%d]" % number)) == []
    assert session.queued == 150
    first = posted(session.handle(PostAnswered(200)))
    assert first == [b"[%d]" % number for number in range(1, 101)]
    second = posted(session.handle(PostAnswered(200)))
    assert second == [b"[%d]" % number for number in range(101, 151)]
    assert session.handle(PostAnswered(200)) == []
    assert (session.posting, session.queued, session.queued_bytes) == (False, 0, 0)


def test_a_message_that_goes_alone() -> None:
    """It shares its POST with none before it and none behind it."""
    session = opened()
    session.handle(MessageQueued(b"[0]"))
    for message in (MessageQueued(b"[1]"), MessageQueued(b"{}", alone=True), MessageQueued(b"[2]")):
        session.handle(message)
    assert session.handle(PostAnswered(200)) == [Post(TOKEN, b"[1]", batch=True)]
    assert session.handle(PostAnswered(200)) == [Post(TOKEN, b"{}", batch=False)]
    assert session.handle(PostAnswered(200)) == [Post(TOKEN, b"[2]", batch=True)]


def test_a_post_is_bounded_in_bytes() -> None:
    """But a message that is longer than the bound goes nevertheless."""
    session = opened()
    session.handle(MessageQueued(b"[0]"))
    large = b"[" + b"x" * 600_000
    for message in (large, large, large * 4, b"[1]"):
        session.handle(MessageQueued(message))
    assert posted(session.handle(PostAnswered(200))) == [large]
    assert posted(session.handle(PostAnswered(200))) == [large]
    assert posted(session.handle(PostAnswered(200))) == [large * 4]
    assert posted(session.handle(PostAnswered(200))) == [b"[1]"]


@pytest.mark.contract("C139", "C143")
@pytest.mark.parametrize(
    ("event", "code"),
    [
        (PostFailed("the POST was not answered within 20.0 seconds"), 1006),
        (PostAnswered(410), 3410),
        (PostAnswered(408), 1011),
        (PostAnswered(500), 1011),
    ],
)
def test_a_post_that_is_not_taken_ends_the_session(event: LongPollEvent, code: int) -> None:
    """Nobody knows what of it was handled, and what waits behind it is dropped."""
    session = opened()
    session.handle(MessageQueued(b"[0]"))
    session.handle(MessageQueued(b"[1]"))
    (ended,) = session.handle(event)
    assert isinstance(ended, Ended)
    assert (ended.code, ended.clean) == (code, False)
    assert (session.queued, session.queued_bytes) == (0, 0)


# -- ending


@pytest.mark.contract("C145")
def test_close_ends_at_once_when_nothing_waits() -> None:
    """With the code and reason that were asked for."""
    session = opened()
    assert session.handle(CloseRequested(1000, "bye")) == [Ended(1000, "bye", clean=True)]


@pytest.mark.contract("C118", "C145")
def test_close_posts_what_was_queued_before() -> None:
    """The poll is dropped meanwhile; nothing more is queued."""
    session = opened()
    session.handle(MessageQueued(b"[0]"))
    session.handle(MessageQueued(b"[1]"))
    assert session.handle(CloseRequested(1000, "")) == [CancelPoll()]
    assert session.handle(CloseRequested(1001, "twice")) == []
    assert session.handle(PollFailed("it was cancelled")) == []
    assert session.handle(MessageQueued(b"[2]")) == []
    assert posted(session.handle(PostAnswered(200))) == [b"[1]"]
    assert session.handle(PostAnswered(200)) == [Ended(1000, "", clean=True)]


def test_what_was_polled_just_before_a_close_is_delivered() -> None:
    """But nothing is polled any more."""
    session = opened()
    session.handle(MessageQueued(b"[0]"))
    session.handle(CloseRequested())
    assert session.handle(PollAnswered(200, TOKEN, ("[1]",))) == [Deliver(("[1]",))]


@pytest.mark.parametrize("closing", [False, True])
def test_abort_ends_wherever_it_is(closing: bool) -> None:
    """Nothing that waits is sent."""
    session = opened()
    session.handle(MessageQueued(b"[0]"))
    if closing:
        session.handle(CloseRequested())
    assert session.handle(AbortRequested()) == [Ended(1006, "aborted", clean=False)]
    assert session.handle(AbortRequested()) == []


EVENTS = st.one_of(
    st.builds(
        PollAnswered,
        st.sampled_from([200, 204, 410, 403, 500]),
        st.sampled_from([None, TOKEN]),
        st.sampled_from([(), ("[1]",)]),
    ),
    st.builds(PollFailed, st.just("why")),
    st.builds(PostAnswered, st.sampled_from([200, 200, 200, 410, 500])),
    st.builds(PostFailed, st.just("why")),
    st.builds(MessageQueued, st.sampled_from([b"[]", b"{}"]), st.booleans()),
    st.builds(CloseRequested),
    st.builds(AbortRequested),
)


@given(st.lists(EVENTS, max_size=60))
@pytest.mark.contract("C140")
def test_one_poll_and_one_post_at_most_and_one_end(drawn: list[LongPollEvent]) -> None:
    """Whatever comes, as long as answers come to what is out."""
    session = LongPollMachine()
    polling, posting, ends = True, False, 0
    for event in drawn:
        if isinstance(event, PollAnswered | PollFailed) and not polling:
            continue
        if isinstance(event, PostAnswered | PostFailed) and not posting:
            continue
        polling = polling and not isinstance(event, PollAnswered | PollFailed)
        posting = posting and not isinstance(event, PostAnswered | PostFailed)
        for command in session.handle(event):
            assert not ends
            assert not (isinstance(command, Poll) and polling)
            assert not (isinstance(command, Post) and posting)
            polling = polling or isinstance(command, Poll)
            posting = posting or isinstance(command, Post)
            ends += isinstance(command, Ended | Refuse)
    assert ends == (session.phase is LongPollPhase.ENDED)
