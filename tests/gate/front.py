"""The front of a sale: a public gate on a real store, a stub of the shop behind it, and shoppers before it."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from yarl import URL

from gate.app import DOOR, build_public_app, open_gate, run_rooms
from gate.door import Door
from gate.gate import Gate, LiveRoom
from gate.proxy import SERVER_OPTIONS
from tests.conftest import ROOM, SECRETS, entropy
from waitroom.clock import ManualClock
from waitroom.settings import RoomSettings, Settings
from waitroom.tickets import IDENTITY_COOKIE, Identity, Pass, Tokens, pass_cookie, ticket_cookie

BASE = f"/waitroom/{ROOM}"
HTML = {"Accept": "text/html,application/xhtml+xml"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
OPEN = RoomSettings(presale=False, protect=("/sale",), rate=6000, burst=100)
"""First come, first served, an entry each 10 ms, and any number of visits."""


@dataclass
class Answer:
    """What came back; ``body`` as it was sent."""

    status: int
    headers: "CIMultiDictProxy[str]"
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body."""
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def problem(self) -> tuple[int, str]:
        """Status and slug of a problem document that is whole."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.headers["Cache-Control"] == "no-store"
        assert self.document["status"] == self.status
        assert self.document["title"]
        assert self.document["detail"]
        kind = str(self.document["type"])
        assert kind.startswith("/waitroom/problems/")
        return self.status, kind.removeprefix("/waitroom/problems/")

    def set_cookies(self) -> dict[str, str]:
        """The last ``Set-Cookie`` of each name, whole."""
        return {each.partition("=")[0]: each for each in self.headers.getall("Set-Cookie", ())}


@dataclass
class Shop:
    """A shop that answers everything in the same way, and remembers what it was asked.

    Paths that begin with ``broken`` are answered ``failure``, those that begin with ``stuck`` when it is set.
    """

    says: Mapping[str, str] = field(default_factory=dict)
    broken: str | None = None
    failure: int = 500
    stuck: str | None = None
    unstuck: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[web.BaseRequest] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Every request's answer."""
        self.asked.append(request)
        self.bodies.append(await request.read())
        if self.stuck and request.raw_path.startswith(self.stuck):
            await self.unstuck.wait()
        broken = self.broken and request.raw_path.startswith(self.broken)
        status = self.failure if broken else 200
        return web.json_response({"shop": request.raw_path}, status=status, headers=CIMultiDict(self.says))

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [request.raw_path for request in self.asked]


class Shopper:
    """A browser that keeps cookies as it is told to, and follows no redirect by itself."""

    def __init__(self, session: aiohttp.ClientSession, url: str, cookies: Mapping[str, str]) -> None:
        self._session = session
        self._url = url
        self.cookies = dict(cookies)

    async def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        **request: Any,  # noqa: ANN401 - aiohttp's own
    ) -> Answer:
        """One request, its path as it stands."""
        sent = CIMultiDict(headers or {})
        if self.cookies and "Cookie" not in sent:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        address = URL(self._url + path, encoded=True)
        async with self._session.request(
            method, address, headers=sent, allow_redirects=False, **request
        ) as response:
            answer = Answer(response.status, response.headers, await response.read())
        self._keep(answer)
        return answer

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for a path."""
        return await self.send("GET", path, headers)

    async def browse(self, path: str) -> Answer:
        """Ask for a path as a browser's address bar does."""
        return await self.get(path, HTML)

    async def join(self, seed: int | None = None, room: str = ROOM) -> Answer:
        """Take a ticket, with entropy of one's own if there is a seed."""
        body = {} if seed is None else {"entropy": entropy(seed).hex()}
        return await self.send("POST", f"/waitroom/{room}/ticket", json=body)

    async def stand(self, room: str = ROOM) -> Answer:
        """Look where the ticket stands."""
        return await self.get(f"/waitroom/{room}/ticket")

    async def knock(self, room: str = ROOM, **body: Any) -> Answer:  # noqa: ANN401 - what a script may send
        """Ask to be let in."""
        return await self.send("POST", f"/waitroom/{room}/pass", json=body)

    async def submit(self, address: str, **fields: str) -> Answer:
        """Send a plain form."""
        return await self.send("POST", f"{BASE}/{address}", HTML, data=fields)

    def _keep(self, answer: Answer) -> None:
        for name, whole in answer.set_cookies().items():
            if "Max-Age=0" in whole:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = whole.partition("=")[2].partition(";")[0]


@dataclass
class Front:
    """A gate that listens, the shop behind it, the clock of both."""

    gate: Gate
    shop: Shop
    clock: ManualClock
    url: str
    session: aiohttp.ClientSession
    door: Door
    _seeds: Iterator[int] = field(default_factory=itertools.count)

    @property
    def room(self) -> LiveRoom:
        """The default room."""
        return self.gate.rooms[ROOM]

    @property
    def tokens(self) -> Tokens:
        """What signs."""
        return self.gate.tokens

    def shopper(self, subject: str = "", **cookies: str) -> Shopper:
        """Somebody new, signed in at the shop if there is a subject."""
        if subject:
            cookies[IDENTITY_COOKIE] = self.identity(subject)
        return Shopper(self.session, self.url, cookies)

    def identity(self, subject: str, good_for_ms: int = 3_600_000) -> str:
        """What the shop signs for an account."""
        return self.tokens.sign_identity(Identity(subject, self.clock.now_ms() + good_for_ms))

    def good_pass(self) -> str:
        """A pass that is good now, of a visit that never was."""
        now = self.clock.now_ms()
        return self.tokens.sign_pass(Pass(ROOM, 777, 777, now, now + 60_000))

    async def in_line(self, room: str = ROOM) -> Shopper:
        """Somebody new with a ticket."""
        shopper = self.shopper()
        assert (await shopper.join(next(self._seeds), room)).status == 201
        return shopper

    async def in_shop(self, room: str = ROOM) -> Shopper:
        """Somebody new with a pass."""
        shopper = await self.in_line(room)
        await self.later(0, force=True)
        assert (await shopper.knock(room)).status == 201
        return shopper

    async def later(self, ms: int, *, force: bool = False) -> None:
        """Let time pass, with one round of all that a gate does by itself at its end."""
        self.clock.advance(ms)
        for room in self.gate.rooms.values():
            await room.advance_draw()
            if force:
                await room.waiting.tick(force=True)
            await room.tick()

    async def ask(self, sent: bytes) -> Answer:
        """Send raw bytes; the first answer to them."""
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(self.url).port)
        writer.write(sent)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").strip().split("\r\n")
            pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
            headers = CIMultiDictProxy(CIMultiDict(pairs))
            body = await reader.readexactly(int(headers.get("Content-Length", 0)))
        finally:
            writer.close()
            await writer.wait_closed()
        return Answer(int(first.split(" ")[1]), headers, body)

    async def ask_for(self, target: str | bytes, *headers: str, method: str = "GET") -> Answer:
        """Ask for a target exactly as it stands, as a browser without a ticket."""
        raw = target.encode() if isinstance(target, str) else target
        lines = ["Host: shop.example", "Accept: text/html", "Connection: close", *headers]
        head = method.encode() + b" " + raw + b" HTTP/1.1\r\n"
        return await self.ask(head + "\r\n".join([*lines, "", ""]).encode())


def token_of(shopper: Shopper, room: str = ROOM) -> str:
    """The ticket that a shopper holds."""
    return shopper.cookies[ticket_cookie(room)]


def pass_of(shopper: Shopper, room: str = ROOM) -> str:
    """The pass that a shopper holds."""
    return shopper.cookies[pass_cookie(room)]


@asynccontextmanager
async def open_front(
    store_url: str,
    clock: ManualClock,
    rooms: Mapping[str, RoomSettings] | None = None,
    *,
    opens_in: float = 0,
    by_itself: bool = False,
    **settings: Any,  # noqa: ANN401 - the gate's settings
) -> AsyncIterator[Front]:
    """A gate whose rooms stand still until a test moves them, or run `by_itself`; by default one, open to everyone."""
    shop = Shop()
    async with AsyncExitStack() as closing:
        secrets = tuple(map(SecretStr, SECRETS))
        chosen = Settings.model_validate(
            {
                "redis_url": store_url,
                "opens_in": opens_in,
                "rooms": rooms or {ROOM: OPEN},
                "secrets": secrets,
                "upstream": await serve(_shop_app(shop), closing),
                **settings,
            }
        )
        gate = await open_gate(chosen, clock=clock, registry=CollectorRegistry())
        await closing.enter_async_context(aclosing(gate.store))
        app = build_public_app(gate)
        if by_itself:
            app.cleanup_ctx.append(run_rooms)
        url = await serve(app, closing)
        jar = aiohttp.DummyCookieJar()
        session = aiohttp.ClientSession(auto_decompress=False, cookie_jar=jar)
        yield Front(gate, shop, clock, url, await closing.enter_async_context(session), app[DOOR])


def _shop_app(shop: Shop) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:(?s:.*)}", shop.answer)
    return app


async def serve(app: web.Application, closing: AsyncExitStack) -> str:
    """Let an application listen until the stack closes; its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, **SERVER_OPTIONS)
    await runner.setup()
    closing.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"
