"""The locks that the topics of one client share."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from phoenix_actors.errors import ChannelClosed, ConnectionLost
from phoenix_actors.link.shared_lock import TopicLocks
from phoenix_actors.message import ChannelState
from tests.unit.phoenix_actors.link.link_bench import LinkBench

_TOPICS = 40


class _Watched:
    """A lock of a topic that counts how many different ones are held at once; for one thread."""

    held: list[_Watched] = []  # noqa: RUF012
    most = 0

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        """Take it."""
        self._lock.acquire()
        self.held.append(self)
        _Watched.most = max(_Watched.most, len(set(self.held)))

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        self.held.pop()
        self._lock.release()


@pytest.fixture
def bench() -> Iterator[LinkBench]:
    """A client whose locks are watched."""
    bench = LinkBench()
    bench.session.topic_locks._locks = tuple(_Watched() for _ in range(16))
    _Watched.most = 0
    yield bench
    bench.close()


def test_topics_share_few_locks() -> None:
    """However many topics there are; a topic that is joined anew has the lock it had."""
    locks = TopicLocks()
    some = {id(locks.of(f"room:{number}")) for number in range(10_000)}
    assert 8 < len(some) <= 16
    assert locks.of("room:1") is locks.of("room:" + "1")


def test_no_thread_holds_the_locks_of_two_topics(bench: LinkBench) -> None:
    """Joins, pushes, messages, losses, new lives, joins anew and the end take one at a time.

    Two threads that held two of them in different orders would wait for each other for ever.
    """
    bench.open()
    topics = [bench.topic(f"room:{number}") for number in range(_TOPICS)]
    actors = [bench.attach(topic)[0] for topic in topics]
    for topic in topics:
        bench.accept(topic)
        topic.push("event", {}, 5.0)
        bench.receive(None, None, topic.name, "tick", {})
    bench.lose(ConnectionLost(1006, "gone"))
    bench.open()
    for topic in topics:
        bench.accept(topic)
    for actor, topic in zip(actors[:10], topics[:10], strict=True):
        actor.topic = topic
        actor.end()
        topic.push("between two lives", {}, 5.0)
        bench.attach(topic)
    for topic in topics[10:20]:
        bench.session.forget(topic)
        bench.attach(bench.topic(topic.name))
    for topic in topics[20:30]:
        topic.leave(1.0)
    with pytest.raises(ChannelClosed):
        topics[20].push("event", {}, 5.0)
    assert topics[35].state is ChannelState.JOINED
    assert _Watched.most == 1
