"""The deciding part of the client: pure machines without threads, clocks, sockets or chance.

Each takes an event and the time and returns commands; the actors around them carry these out.
Public but provisional: they can be driven from another kind of shell, and may change.

- `connection.ConnectionMachine`: connect, heartbeat, reconnect, disconnect.
- `channel.ChannelMachine`: one topic, from its join to its end.
- `presence.PresenceMachine`: who is present in a topic.
- `long_poll.LongPollMachine`: one session of long poll, its polls and posts.
- `fallback.FallbackMachine`: when long poll takes the place of the WebSocket.
- `push.PendingPushes`: refs, and pushes on the wire that wait for their reply.
- `topic_map.TopicMap`: which channel class a topic gets.
"""

from __future__ import annotations
