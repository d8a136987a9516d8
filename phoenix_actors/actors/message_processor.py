"""`message_processor`: owns the codec, which everybody uses without asking this actor.

Encoding is done in the caller's thread, where its errors belong, decoding on the reader thread.
"""

from __future__ import annotations

from typing import Any

from phoenix_actors.actors.part import Part
from phoenix_actors.link.session import Session
from phoenix_actors.telemetry import PROCESSOR_STARTED, emit

__all__ = ["MessageProcessor"]


class MessageProcessor(Part):
    """Makes the codec anew with each of its lives, and counts; made by the client's tree."""

    def init(self, session: Session) -> None:
        """Publish a codec."""
        self.session = session
        if session.codec_taken:
            session.codec = session.new_codec()
        session.codec_taken = True
        emit(PROCESSOR_STARTED, registry_name=session.registry_name, sync_mode=True)

    def handle_call(self, request: Any, sender: Any) -> Any:
        """Answer `"stats"`.

        `encode_queue_size` counts frames that wait to be written; nothing waits to be decoded, so
        there is no such queue. `pending_replies` counts pushes that wait for their answer.
        """
        if request != "stats":
            return super().handle_call(request, sender)
        wire, counters = self.session.wire, self.session.counters
        return {
            "sync_mode": True,
            "encoded": counters["encoded"] + counters["encoded_by_template"],
            "decoded": counters["decoded"],
            "decode_errors": counters["decode_errors"],
            "encode_queue_size": 0 if wire is None else len(wire.outbox),
            "decode_queue_size": 0,
            "pending_replies": 0 if wire is None else wire.pending(),
        }
