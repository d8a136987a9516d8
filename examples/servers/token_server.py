"""The other side of phoenix_auth.py: signs tokens, and a channel that wants one.

It looks at tokens as a Phoenix application does, by `connect_info: [:auth_token]` and in `join/3`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Any

from phoenix_actors.testing import JoinRefused, Reply, ServerChannel

EXPIRED = {"reason": "token_expired"}


class Issuer:
    """Plays the login service: signs tokens, and says whose a token is while it has not expired."""

    def __init__(self, lifetime: float = 3600.0) -> None:
        self._key, self._lifetime = secrets.token_bytes(32), lifetime
        self.issued = 0
        # Seconds by which the clock here is ahead of the client's.
        self.ahead = 0.0

    def issue(self) -> tuple[str, float]:
        """Return a token, and until when it counts."""
        self.issued += 1
        expires = time.time() + self.ahead + self._lifetime
        claims = f"alice.{self.issued}.{expires:.0f}"
        return f"{claims}.{self._sign(claims)}", expires

    def user(self, token: str | None) -> str | None:
        """Return whose token it is; None of one that is forged or has expired."""
        claims, _, signature = (token or "").rpartition(".")
        if not hmac.compare_digest(signature, self._sign(claims)):
            return None
        user, _, expires = claims.split(".")
        return user if time.time() + self.ahead < float(expires) else None

    def _sign(self, claims: str) -> str:
        return hmac.new(self._key, claims.encode(), hashlib.sha256).hexdigest()


def account_channel(issuer: Issuer) -> type[ServerChannel]:
    """Play the server's side of `account:*`."""

    class Account(ServerChannel):
        async def join(self, params: Any) -> Any:
            user = issuer.user(params.get("token"))
            if user is None:
                raise JoinRefused(EXPIRED)
            return {"user": user}

        async def handle_in(self, event: str, payload: Any) -> Reply:
            return Reply.ok({"connected_as": issuer.user(self.socket.auth_token)})

    return Account
