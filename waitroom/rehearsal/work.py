"""The work that a room may ask for before a join, done by ALTCHA's own solver."""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any

from altcha import Challenge, Payload, solve_challenge

from waitroom.rehearsal.browser import Browser, Trouble


async def do_work(browser: Browser, entropy: str, working: asyncio.Semaphore) -> str:
    """The work for a join with this entropy (hexadecimal); ``working`` is how many may be at it at once.

    Raises:
        Trouble: the gate does not say what is to be done, or it takes too long.
    """
    own = hashlib.sha256(bytes.fromhex(entropy)).hexdigest()
    async with working:  # before the challenge, whose time is running
        answer = await browser.ask("GET", f"@challenge?for={own}")
        if answer.status != 200:
            raise Trouble
        return await asyncio.to_thread(_solve, answer.document)


def _solve(document: Mapping[str, Any]) -> str:
    challenge = Challenge.from_dict(dict(document))
    solution = solve_challenge(challenge)
    if solution is None:
        raise Trouble
    return Payload(challenge, solution).to_base64()
