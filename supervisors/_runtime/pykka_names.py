"""What of Pykka's own names the classes above the runtime need, so that they need no Pykka."""

from __future__ import annotations

from typing import Final

import pykka
from pykka import messages

__all__ = ["PROXY_MESSAGES", "PYKKA_STOP", "overrides_on_receive"]

PROXY_MESSAGES: Final = (messages.ProxyCall, messages.ProxyGetAttr, messages.ProxySetAttr)
# What Pykka's own `ActorRef.stop` sends; it comes by `tell` from code that makes it by hand.
PYKKA_STOP: Final = messages._ActorStop


def overrides_on_receive(cls: type[pykka.Actor]) -> bool:
    """Tell whether a class handles its messages in Pykka's `on_receive`."""
    return cls.on_receive is not pykka.Actor.on_receive
