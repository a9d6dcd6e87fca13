"""An operator's desk: the operator's listener of a real gate on a real store, on a real port."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry
from redis import Redis

from gate.app import open_gate
from gate.gate import Gate
from gate.operator.app import build_operator_app
from waitroom.clock import Clock, ManualClock
from waitroom.settings import RoomSettings, Settings
from waitroom.tickets import Operator

HTML = {"Accept": "text/html"}
OPEN = RoomSettings(title="Mi Launch", presale=False, rate=120, capacity=40, burst=5)
TWO_ROOMS = {"mi-launch": OPEN, "mi-outlet": RoomSettings(title="Mi Outlet", protect=("/outlet",))}


@dataclass
class Answer:
    """What the listener said; ``document`` where it is JSON."""

    status: int
    headers: Any
    text: str
    document: Any


@dataclass
class Desk:
    """The operator's listener, and somebody who speaks to it."""

    gate: Gate
    url: str
    session: aiohttp.ClientSession
    token: str = ""

    async def send(self, method: str, path: str, **request: Any) -> Answer:  # noqa: ANN401 - aiohttp's own
        """One request with the session, if there is one; redirects are not followed."""
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        request["headers"] = bearer | request.get("headers", {})
        async with self.session.request(
            method, self.url + path, allow_redirects=False, **request
        ) as response:
            is_json = response.content_type.endswith("json")
            document = await response.json(content_type=None) if is_json else None
            return Answer(response.status, response.headers, await response.text(), document)

    def link(self, nonce: str = "link", good_for_ms: int = 600_000) -> str:
        """The code of a fresh sign-in link."""
        expires_at = self.gate.clock.now_ms() + good_for_ms
        return self.gate.tokens.sign_operator(Operator("sign-in", nonce, expires_at))

    async def sign_in(self, name: str = "Anna") -> None:
        """Sign in as a script does."""
        answer = await self.send(
            "POST", "/sign-in", json={"code": self.link("link-of-a-script"), "name": name}
        )
        self.token = answer.document["token"]

    async def room(self) -> dict[str, Any]:
        """The default room, as the API has it."""
        document: dict[str, Any] = (await self.send("GET", "/api/rooms/mi-launch")).document
        return document


@asynccontextmanager
async def open_desk(
    store_url: str, folder: Path, clock: Clock, templates: Path | None = None
) -> AsyncIterator[Desk]:
    """A gate with two rooms, open since this moment, and its operator's listener."""
    settings = Settings(redis_url=store_url, data=folder, opens_in=0, rooms=TWO_ROOMS, templates=templates)
    gate = await open_gate(settings, clock=clock, registry=CollectorRegistry())
    async with (
        aclosing(gate.store),
        TestServer(build_operator_app(gate)) as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        yield Desk(gate, str(server.make_url("")).rstrip("/"), session)


@pytest_asyncio.fixture
async def desk(redis: Redis, store_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Desk]:
    """A desk at which nobody has signed in yet."""
    redis.ping()
    async with open_desk(store_url, tmp_path, clock) as opened:
        yield opened


@pytest_asyncio.fixture
async def anna(desk: Desk) -> Desk:
    """A desk at which Anna has signed in."""
    await desk.sign_in()
    return desk


@pytest.fixture
def cookie_of() -> Callable[[Answer], str]:
    """Picks the session's token out of a ``Set-Cookie``."""
    return lambda answer: str(answer.headers["Set-Cookie"]).partition("=")[2].partition(";")[0]
