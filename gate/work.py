"""The work that a room may ask for before a join: ALTCHA's proof of work, protocol v2, with PBKDF2.

A browser finds by trial the counter from which the gate has derived a key. That costs the gate one try when it gives
the challenge out, and two HMACs when it checks what was found: the second in which everyone joins stays cheap.

A challenge is for one join alone: for its room, its entropy, its identity. It is good for a shorter time than the
store knows a repeated join by its entropy, so work that is sent again gets the same ticket again. It is spent once,
and nobody has to remember it.
"""

import hashlib
import hmac
import secrets
from typing import Any, Final

from altcha import Payload, create_challenge, verify_solution

from waitroom.errors import WorkNeeded
from waitroom.tickets import Tokens

GOOD_FOR_MS: Final = 110_000
"""Of a challenge. A repeated join is known for two minutes from the first on, which comes after the challenge."""

ALGORITHM: Final = "PBKDF2/SHA-256"
COST: Final = 1000
"""Rounds of a try: 0.3 ms of a server, and enough that a browser's own overhead for a try does not matter."""


class Work:
    """What one room asks for.

    Args:
        room: the room's name. tries: how many a browser makes on average.
        tokens: has the secrets that challenges are signed with.
    """

    def __init__(self, room: str, tries: int, tokens: Tokens) -> None:
        self._room = room
        self._tries = tries
        self._secret = tokens.key(f"work of {room}")
        self._key_secret = tokens.key(f"work's key of {room}")

    def challenge(self, entropy_hash: bytes, identity: str, now_ms: int) -> dict[str, Any]:
        """A fresh challenge for the join that will send the entropy with this SHA-256, as ``altcha`` documents it.

        Its end stands in ``data``, in ms, because it is read by the store's clock as all times are; ALTCHA's own
        ``expiresAt`` would be read by each machine's.
        """
        # Between half and one and a half times as many, so that nobody is unlucky beyond measure.
        counter = self._tries // 2 + secrets.randbelow(self._tries)
        data = {"for": self._bind(entropy_hash, identity), "expires_at": now_ms + GOOD_FOR_MS}
        challenge = create_challenge(
            ALGORITHM,
            COST,
            counter=counter,
            data=data,
            hmac_secret=self._secret,
            hmac_key_secret=self._key_secret,
        )
        return challenge.to_dict()

    def check(self, work: str, entropy: bytes, identity: str, now_ms: int) -> None:
        """Check ALTCHA's payload that came with a join.

        Raises:
            WorkNeeded: it is not the work asked for, or asked for of somebody else, or too long ago.
        """
        try:
            payload = Payload.from_base64(work)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise self.needed("wrong") from None
        if not verify_solution(payload, self._secret, hmac_key_secret=self._key_secret).verified:
            raise self.needed("wrong")
        data = payload.challenge.parameters.data or {}  # signed, so it is ours
        if not hmac.compare_digest(data["for"], self._bind(hashlib.sha256(entropy).digest(), identity)):
            raise self.needed("wrong")
        if now_ms >= data["expires_at"]:
            raise self.needed("expired")

    def needed(self, reason: str) -> WorkNeeded:
        """The refusal of a join whose work is ``missing``, ``wrong`` or ``expired``."""
        return WorkNeeded(reason, f"/waitroom/{self._room}/challenge")

    def _bind(self, entropy_hash: bytes, identity: str) -> str:
        return hashlib.sha256(entropy_hash + f"{self._room}\0{identity}".encode()).hexdigest()
