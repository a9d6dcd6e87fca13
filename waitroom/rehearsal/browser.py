"""A shopper's browser: cookies of its own, and the ways in which people send one request several times."""

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import aiohttp

from waitroom.rehearsal.board import Board, State
from waitroom.tickets import pass_cookie, ticket_cookie

_ID = re.compile(r"[0-9a-f]{32}")


class Trouble(Exception):
    """No answer, or one that says to come again later: whatever it was for is tried again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, and between which two instants of the gate's clock it was decided (epoch ms)."""

    status: int
    document: Mapping[str, Any]
    sent_at: int
    received_at: int

    @property
    def slug(self) -> str:
        """The kind of a problem document, else nothing."""
        return str(self.document.get("type", "")).rpartition("/")[2] if self.status >= 400 else ""


@dataclass(slots=True)
class Wire:
    """What all browsers share: the connections, the gate's address, and the counts of what came back."""

    session: aiohttp.ClientSession
    gate: str
    room: str
    board: Board
    answers: Counter[tuple[str, int, str]]
    troubles: Counter[str]


class Browser:
    """One shopper's own."""

    def __init__(self, wire: Wire, chance: random.Random) -> None:
        self._wire = wire
        self._chance = chance
        self._cookies: dict[str, str] = {}
        self._etag = ""

    def other_device(self) -> "Browser":
        """A browser of the same shopper, signed in as this one is, without what the gate gave it."""
        other = Browser(self._wire, self._chance)
        own = (ticket_cookie(self._wire.room), pass_cookie(self._wire.room))
        other._cookies = {name: value for name, value in self._cookies.items() if name not in own}
        return other

    async def look(self) -> State:
        """The public state, asked for as a browser does that has an older one.

        Raises:
            Trouble: no document came.
        """
        wire = self._wire
        try:
            async with wire.session.get(
                self._address("@state"), headers={"If-None-Match": self._etag}
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._trouble("GET state", error) from error
        wire.answers["GET state", answer.status, ""] += 1
        if answer.status == 304:
            return wire.board.get(self._etag)
        if answer.status != 200:
            raise Trouble
        self._etag = answer.headers["ETag"]
        return wire.board.put(self._etag, body)

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """One request of this browser; ``path`` is the shop's, or begins with ``@`` for the room's.

        Raises:
            Trouble: no answer came, or a 5xx.
        """
        wire, request = self._wire, self._request(method, path)
        sent_at = wire.board.now()
        try:
            async with self._send(method, path, body) as response:
                text = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._trouble(request, error) from error
        self._keep(response.cookies)
        document = json.loads(text) if text and "json" in response.content_type else {}
        answer = Answer(response.status, document, sent_at, wire.board.now())
        wire.answers[request, answer.status, answer.slug] += 1
        if answer.status >= 500:
            raise Trouble
        return answer

    async def ask_twice(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> list[Answer]:
        """A double click: the same request two times at once; the answers that came.

        Raises:
            Trouble: none came.
        """
        both = (self.ask(method, path, body), self.ask(method, path, body))
        answers = await asyncio.gather(*both, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, Trouble):
                raise answer
        came = [answer for answer in answers if isinstance(answer, Answer)]
        if not came:
            raise Trouble
        return came

    async def cut(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        """Send a request and break the connection before its answer is read, at the latest when it begins."""
        try:
            async with asyncio.timeout(self._chance.choice((0.005, 0.02, 15))):
                response = await self._send(method, path, body)
                response.close()
        except (aiohttp.ClientError, TimeoutError):
            pass
        self._wire.answers[self._request(method, path), 0, "cut on purpose"] += 1

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:  # noqa: ANN401 - aiohttp keeps the type to itself
        headers = {"Accept": "application/json"}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return self._wire.session.request(
            method, self._address(path), json=body, headers=headers, allow_redirects=False
        )

    def _address(self, path: str) -> str:
        own = path.startswith("@")
        return self._wire.gate + (f"/waitroom/{self._wire.room}/{path[1:]}" if own else path)

    def _request(self, method: str, path: str) -> str:
        return f"{method} {_ID.sub(':order', path.removeprefix('@'))}"

    def _keep(self, cookies: "SimpleCookie") -> None:
        for name, cookie in cookies.items():
            if cookie["max-age"] == "0":
                self._cookies.pop(name, None)
            else:
                self._cookies[name] = cookie.value

    def _trouble(self, request: str, error: Exception) -> Trouble:
        self._wire.troubles[f"{request}: {type(error).__name__}"] += 1
        return Trouble()
