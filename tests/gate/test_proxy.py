"""The proxy carries requests to a real shop and answers back, piece by piece, whatever goes wrong."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol

from gate.paths import normalise
from gate.proxy import (
    SERVER_OPTIONS,
    BodyBroken,
    BodyStalled,
    OnAnswer,
    ProxyError,
    UpgradeRefused,
    Upstream,
    UpstreamRefused,
    UpstreamTimeout,
    _Upload,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SOON = 0.05  # a time-out that a test waits for


@dataclass
class Gate:
    """A gate under test: where it listens, and what it met with."""

    url: str
    port: int
    troubles: list[ProxyError] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection and send raw bytes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(sent)
        return reader, writer

    async def ask(self, sent: bytes) -> tuple[bytes, bytes]:
        """Send raw bytes; give head and body of all that comes back until the connection closes."""
        reader, writer = await self.connect(sent)
        try:
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        return head, body


class Street:
    """Shop and gate side by side, closed together."""

    def __init__(self, closing: AsyncExitStack) -> None:
        self._closing = closing

    async def shop(self, handler: Handler) -> str:
        """Open a shop."""
        port = await self._serve(handler, {"handler_cancellation": True})
        return f"http://127.0.0.1:{port}"

    async def raw_shop(self, talk: Talk) -> str:
        """Open a shop that talks bytes."""
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        self._closing.callback(server.close)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def gate(
        self,
        shop: str,
        *,
        cookie: str | None = None,
        on_answer: OnAnswer | None = None,
        connect_timeout: float = 5,
        read_timeout: float = 5,
        shopper_timeout: float = 5,
        connections: int = 10,
        options: Mapping[str, Any] = SERVER_OPTIONS,
    ) -> Gate:
        """Open a gate before a shop."""
        upstream = Upstream(
            shop,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            shopper_timeout=shopper_timeout,
            connections=connections,
        )
        await self._closing.enter_async_context(upstream)

        async def forward(request: web.Request) -> web.StreamResponse:
            try:
                path = normalise(request.raw_path)
                return await upstream.forward(request, path, cookie=cookie, on_answer=on_answer)
            except ProxyError as error:
                gate.troubles.append(error)
                return web.Response(status=error.status)
            except asyncio.CancelledError:
                gate.cancelled.set()
                raise

        port = await self._serve(forward, options)
        gate = Gate(f"http://127.0.0.1:{port}", port)
        return gate

    async def _serve(self, handler: Handler, options: Mapping[str, Any]) -> int:
        app = web.Application(client_max_size=2**30)
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1, **options)
        await runner.setup()
        self._closing.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port: int = runner.addresses[0][1]
        return port


@pytest_asyncio.fixture
async def street() -> AsyncIterator[Street]:
    """A street on which shops and gates can be opened."""
    async with AsyncExitStack() as closing:
        yield Street(closing)


@pytest_asyncio.fixture
async def shopper() -> AsyncIterator[aiohttp.ClientSession]:
    """A shopper who neither unpacks nor remembers anything."""
    async with aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


async def show_request(request: web.Request) -> web.Response:
    """Answer with what arrived."""
    lines = [f"{request.method} {request.raw_path}", *(f"{n}: {v}" for n, v in request.headers.items())]
    return web.Response(text="\n".join(lines) + "\n\n" + await request.text())


def saying(*lines: bytes) -> Talk:
    """Make a shop that reads a request's head, says these bytes and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\r\n".join(lines))
        writer.close()

    return talk


# --- what passes


async def test_a_request_arrives_as_it_was_sent(street: Street) -> None:
    """Method, canonical path, query, headers and body reach the shop; nothing else does."""
    gate = await street.gate(await street.shop(show_request))
    head, body = await gate.ask(
        b"PATCH //x/../%73ale/mi%20x?q=%2f&r HTTP/1.1\r\nHost: shop.test\r\nX-A: caf\xe9\r\n"
        b"Content-Length: 2\r\nConnection: close\r\nAuthorization: Waitroom abc\r\n\r\nhi"
    )
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body.decode().splitlines() == [
        "PATCH /sale/mi%20x?q=%2f&r",
        "Host: shop.test",
        "X-A: café",
        "Content-Length: 2",
        "Authorization: Waitroom abc",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: shop.test",
        "",
        "hi",
    ]


async def test_an_answer_comes_back_as_it_was_given(street: Street, shopper: aiohttp.ClientSession) -> None:
    """Status, reason, all headers and body pass; redirects stand, and cookies are the shopper's alone."""
    seen: list[str | None] = []

    async def shop(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie"))
        answer = web.Response(status=302, reason="Over there", text="moved", headers={"Location": "/x"})
        answer.headers.extend([("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2")])
        answer.headers.update({"Server": "shop", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"})
        return answer

    gate = await street.gate(await street.shop(shop))
    for _ in range(2):
        async with shopper.get(gate.url, allow_redirects=False) as answer:
            assert (answer.status, answer.reason, await answer.text()) == (302, "Over there", "moved")
            assert answer.headers.getall("Set-Cookie") == ["a=1; Path=/", "b=2"]
            assert answer.headers.getall("Server") == ["shop"]
            assert answer.headers.getall("Date") == ["Thu, 01 Jan 2026 00:00:00 GMT"]
    assert seen == [None, None]


async def test_what_the_shop_says_is_heard_first_and_stripped(
    street: Street, shopper: aiohttp.ClientSession
) -> None:
    """The shop's words are acted on before the shopper hears the answer, which holds none of them."""
    said: list[str] = []

    async def hear(words: Mapping[str, str]) -> None:
        said.extend(words.values())

    async def shop(request: web.Request) -> web.Response:
        words = {"Waitroom-Command": "leave", "waitroom-units-left": "3", "Waitroom-Other": "x"}
        return web.Response(headers=words if request.path == "/talk" else {})

    origin = await street.shop(shop)
    gate, deaf = await street.gate(origin, on_answer=hear), await street.gate(origin)
    for url in (deaf.url + "/talk", gate.url + "/quiet", gate.url + "/talk"):
        assert said == []
        async with shopper.get(url) as answer:
            assert not [name for name in answer.headers if name.lower().startswith("waitroom")]
    assert said == ["leave", "3"]


async def test_a_fresh_pass_goes_with_the_request(street: Street, shopper: aiohttp.ClientSession) -> None:
    """The gate may add a cookie that the shopper is only about to get."""
    gate = await street.gate(await street.shop(show_request), cookie="waitroom_pass=new")
    async with shopper.get(gate.url, headers={"Cookie": "a=1; waitroom_pass=old"}) as answer:
        assert "Cookie: a=1; waitroom_pass=new" in (await answer.text()).splitlines()


async def test_the_gate_hears_the_shop_out_if_the_shopper_leaves(street: Street) -> None:
    """A shopper who closes the page at that moment does not keep the gate from freeing the spot."""
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hear(_: Mapping[str, str]) -> None:
        begun.set()
        await go_on.wait()
        done.set()

    async def shop(_: web.Request) -> web.Response:
        return web.Response(headers={"Waitroom-Command": "leave"})

    gate = await street.gate(await street.shop(shop), on_answer=hear)
    _, writer = await gate.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await begun.wait()
    writer.transport.abort()
    await gate.cancelled.wait()
    go_on.set()
    await done.wait()


@pytest.mark.parametrize(
    "method, status, length",
    [("HEAD", 200, "5"), ("GET", 204, None), ("GET", 304, None), ("HEAD", 404, "5")],
)
async def test_an_answer_without_a_body_has_none(
    street: Street, shopper: aiohttp.ClientSession, method: str, status: int, length: str | None
) -> None:
    """HEAD tells the length that GET would have; the connection stays usable."""

    async def shop(request: web.Request) -> web.Response:
        return web.Response(status=status, body=b"12345" if request.method == "HEAD" else None)

    gate = await street.gate(await street.shop(shop))
    for _ in range(2):
        async with shopper.request(method, gate.url) as answer:
            assert (answer.status, answer.headers.get("Content-Length")) == (status, length)
            assert "Transfer-Encoding" not in answer.headers
            assert await answer.read() == b""


@pytest.mark.parametrize(
    "version, framing, body",
    [
        (b"1.1", [b"Content-Length: 5"], b"12345"),
        (b"1.1", [b"Transfer-Encoding: chunked"], b"5\r\n12345\r\n0\r\n\r\n"),
        (b"1.0", [b"Content-Length: 5"], b"12345"),
        (b"1.0", [b"Transfer-Encoding: chunked"], b"12345"),
    ],
)
async def test_a_length_stays_a_length_and_chunks_stay_chunks(
    street: Street, version: bytes, framing: list[bytes], body: bytes
) -> None:
    """The shop's framing is kept; HTTP/1.0, which knows no chunks, reads to the end of the connection."""
    payload = b"12345" if b"Content" in framing[0] else b"5\r\n12345\r\n0\r\n\r\n"
    gate = await street.gate(await street.raw_shop(saying(b"HTTP/1.1 200 OK", *framing, b"", payload)))
    head, got = await gate.ask(b"GET / HTTP/" + version + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert got == body
    assert (framing[0] in head) == (version == b"1.1" or b"Content" in framing[0])


async def test_packed_bodies_are_left_packed(street: Street, shopper: aiohttp.ClientSession) -> None:
    """A compressed upload or answer passes byte for byte, under its own length."""
    packed = gzip.compress(b"mi" * 500)
    arrived: list[tuple[bytes, str | None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        arrived.append((await reader.readexactly(len(packed)), head))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n" % len(packed) + packed)
        writer.close()

    gate = await street.gate(await street.raw_shop(talk))
    async with shopper.post(gate.url, data=packed, headers={"Content-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Length"] == str(len(packed))
        assert await answer.read() == packed
    body, head = arrived[0]
    assert body == packed
    assert f"Content-Length: {len(packed)}" in str(head)


@pytest.mark.parametrize(
    "headers, sent",
    [
        (b"", "Content-Length: 0"),
        (b"Content-Length: 0\r\n", "Content-Length: 0"),
        (b"Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked"),
    ],
)
async def test_an_empty_upload_stays_empty(street: Street, headers: bytes, sent: str) -> None:
    """A POST without a body says so to the shop."""
    gate = await street.gate(await street.shop(show_request))
    end = b"0\r\n\r\n" if b"chunked" in headers else b""
    _, body = await gate.ask(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + b"\r\n" + end)
    assert sent in body.decode().splitlines()


async def test_a_shopper_who_waits_for_100_continue_is_asked_to_go_on(street: Street) -> None:
    """The gate says it itself, at once; the shop sees an ordinary request."""
    gate = await street.gate(await street.shop(show_request))
    reader, writer = await gate.connect(
        b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"ok")
    rest = await reader.read()
    assert b"Expect" not in rest
    assert rest.endswith(b"\n\nok")
    writer.close()


# --- streaming


async def test_an_upload_and_its_answer_flow_piece_by_piece(street: Street) -> None:
    """Each piece arrives before the next is sent, in both directions at once."""

    async def echo(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for piece in request.content.iter_any():
            await answer.write(piece)
        return answer

    gate = await street.gate(await street.shop(echo))
    reader, writer = await gate.connect(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    for piece in (b"one", b"two", b"six"):
        writer.write(b"3\r\n%s\r\n" % piece)
        assert await reader.readexactly(8) == b"3\r\n%s\r\n" % piece
    writer.write(b"0\r\n\r\n")
    assert await reader.readexactly(5) == b"0\r\n\r\n"
    writer.close()


async def test_a_body_bigger_than_any_buffer_is_never_in_memory(
    street: Street, shopper: aiohttp.ClientSession
) -> None:
    """64 MB up and 64 MB down leave the memory of shopper, gate and shop together flat."""
    piece, pieces = bytes(2**16), 1024

    async def upload() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield piece

    async def shop(request: web.Request) -> web.StreamResponse:
        got = 0
        async for part in request.content.iter_any():
            got += len(part)
        answer = web.StreamResponse(headers={"X-Got": str(got)})
        await answer.prepare(request)
        for _ in range(pieces):
            await answer.write(piece)
        return answer

    gate = await street.gate(await street.shop(shop))
    tracemalloc.start()
    async with shopper.post(gate.url, data=upload()) as answer:
        assert answer.headers["X-Got"] == str(len(piece) * pieces)
        got = 0
        async for part in answer.content.iter_any():
            got += len(part)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert got == len(piece) * pieces
    assert peak < 8 * 2**20


async def test_an_early_answer_is_not_held_back_by_an_upload(street: Street) -> None:
    """A shop that refuses an upload before its end is heard at once."""

    async def shop(request: web.Request) -> web.Response:
        await request.content.readany()
        return web.Response(status=413, text="too much")

    gate = await street.gate(await street.shop(shop))
    reader, writer = await gate.connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\nxx")
    assert b" 413 " in await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(8) == b"too much"
    writer.close()


# --- the shop in trouble


async def test_a_shop_that_is_not_there_is_told_as_502(
    street: Street, shopper: aiohttp.ClientSession
) -> None:
    """A refused connection is an `UpstreamRefused`."""
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()
    gate = await street.gate(origin)
    async with shopper.post(gate.url, data=b"x") as answer:
        assert answer.status == 502
    assert isinstance(gate.troubles[0], UpstreamRefused)


@pytest.mark.parametrize(
    "lines",
    [
        [b""],
        [b"HTTP/1.1 200 OK", b"Content-Le"],
        [b"good day", b"", b""],
        [b"HTTP/1.1 200 OK", b"Content-Length: 1", b"Content-Length: 2", b"", b"12"],
        [b"HTTP/1.1 200 OK", b"X-Odd: a\x01b", b"Content-Length: 0", b"", b""],
        [b"HTTP/1.1 200 O\x01K", b"Content-Length: 0", b"", b""],
        [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: x", b"Connection: Upgrade", b"", b""],
    ],
)
async def test_an_answer_that_breaks_off_or_makes_no_sense_is_told_as_502(
    street: Street, shopper: aiohttp.ClientSession, lines: list[bytes]
) -> None:
    """Nothing of such an answer reaches the shopper."""
    gate = await street.gate(await street.raw_shop(saying(*lines)))
    async with shopper.get(gate.url) as answer:
        assert answer.status == 502
    assert isinstance(gate.troubles[0], UpstreamRefused)


async def test_a_shop_that_does_not_answer_is_told_as_504(
    street: Street, shopper: aiohttp.ClientSession
) -> None:
    """Silence longer than the read time-out is an `UpstreamTimeout`, and the request is given up."""
    given_up = asyncio.Event()

    async def shop(_: web.Request) -> web.Response:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        raise AssertionError

    gate = await street.gate(await street.shop(shop), read_timeout=SOON)
    async with shopper.get(gate.url) as answer:
        assert answer.status == 504
    assert isinstance(gate.troubles[0], UpstreamTimeout)
    await given_up.wait()


async def test_a_shop_with_no_connection_free_is_told_as_504(
    street: Street, shopper: aiohttp.ClientSession
) -> None:
    """Waiting for one of the connections counts as connecting."""
    busy, go_on = asyncio.Event(), asyncio.Event()

    async def shop(_: web.Request) -> web.Response:
        busy.set()
        await go_on.wait()
        return web.Response()

    # The first request has to get its connection within the same time, on a busy machine too.
    gate = await street.gate(await street.shop(shop), connect_timeout=10 * SOON, connections=1)
    first = asyncio.create_task(shopper.get(gate.url))
    await busy.wait()
    async with shopper.get(gate.url) as answer:
        assert answer.status == 504
    assert isinstance(gate.troubles[0], UpstreamTimeout)
    go_on.set()
    assert (await first).status == 200


async def test_a_shop_that_does_not_read_is_told_as_504(street: Street) -> None:
    """An upload that the shop leaves unread does not wait for ever."""
    hung_up = asyncio.Event()

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hung_up.wait()
        writer.close()

    gate = await street.gate(await street.raw_shop(talk), read_timeout=SOON)
    reader, writer = await gate.connect(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + bytes(2**25)
    )
    assert b" 504 " in await reader.readline()
    assert isinstance(gate.troubles[0], UpstreamTimeout)
    hung_up.set()
    writer.transport.abort()


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 9\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
)
@pytest.mark.parametrize("hangs_up", [True, False])
async def test_half_an_answer_never_looks_whole(street: Street, framing: bytes, *, hangs_up: bool) -> None:
    """If the shop breaks off or falls silent within its answer, the shopper's connection is cut."""
    cut = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing)
        if not hangs_up:
            await cut.wait()
        writer.close()

    # The answer has to begin within the same time, on a busy machine too.
    gate = await street.gate(await street.raw_shop(talk), read_timeout=10 * SOON)
    async with aiohttp.ClientSession() as shopper, shopper.get(gate.url) as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientError):
            await answer.read()
    cut.set()
    assert gate.troubles == []


@pytest.mark.parametrize("method, sent", [("POST", 1), ("GET", 2)])
async def test_only_what_is_harmless_is_sent_twice(
    street: Street, shopper: aiohttp.ClientSession, method: str, sent: int
) -> None:
    """If the shop closes a connection under a request, a GET is repeated; a POST never is."""
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    gate = await street.gate(await street.raw_shop(talk))
    async with shopper.request(method, gate.url) as answer:
        assert answer.status == 502
    assert len(asked) == sent


async def test_a_repeated_put_is_never_half_a_body(street: Street, shopper: aiohttp.ClientSession) -> None:
    """A body that has begun to flow cannot be sent again, so the request is not."""
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.readexactly(2)
        writer.close()

    gate = await street.gate(await street.raw_shop(talk))
    async with shopper.put(gate.url, data=b"hi") as answer:
        assert answer.status == 502
    assert len(asked) == 1


# --- the shopper in trouble


async def test_a_shopper_who_leaves_while_waiting_frees_the_shop(street: Street) -> None:
    """The request to the shop is cancelled as soon as nobody waits for it."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def shop(_: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    gate = await street.gate(await street.shop(shop))
    _, writer = await gate.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await begun.wait()
    writer.transport.abort()
    await cancelled.wait()
    await gate.cancelled.wait()


@pytest.mark.parametrize("told", [True, False])
async def test_a_shopper_who_leaves_within_an_answer_frees_the_shop(street: Street, *, told: bool) -> None:
    """An endless answer ends when nobody takes it, also if the server does not tell."""
    cancelled = asyncio.Event()

    async def shop(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(bytes(2**16))
        finally:
            cancelled.set()

    options = {**SERVER_OPTIONS, "handler_cancellation": told}
    gate = await street.gate(await street.shop(shop), options=options)
    reader, writer = await gate.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readexactly(2**17)
    writer.transport.abort()
    await cancelled.wait()


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 9\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
)
async def test_half_an_upload_never_looks_whole(street: Street, framing: bytes) -> None:
    """A shopper who breaks off within an upload breaks it off for the shop, too."""
    begun: asyncio.Event = asyncio.Event()
    rest: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"half")
        begun.set()
        rest.set_result(await reader.read())
        writer.close()

    gate = await street.gate(await street.raw_shop(talk))
    _, writer = await gate.connect(b"POST / HTTP/1.1\r\nHost: x\r\n" + framing)
    await begun.wait()
    writer.transport.abort()
    assert (await rest).strip() == b""


async def read_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be a shop that reads an upload for as long as it comes."""
    await reader.read()
    writer.close()


@pytest.mark.parametrize(
    "upload",
    [b"Content-Length: 9\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
)
async def test_an_upload_that_stops_is_the_shoppers_fault(street: Street, upload: bytes) -> None:
    """A body that does not go on is not blamed on the shop, and holds its connection for a while only."""
    gate = await street.gate(await street.raw_shop(read_on), shopper_timeout=SOON)
    reader, writer = await gate.connect(b"POST / HTTP/1.1\r\nHost: x\r\n" + upload)
    assert b" 408 " in await reader.readline()
    assert isinstance(gate.troubles[0], BodyStalled)
    writer.transport.abort()


async def test_an_upload_that_breaks_off_is_the_shoppers_fault(street: Street) -> None:
    """Also where the server leaves the handler running, a lost connection is not blamed on the shop."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"half")
        begun.set()
        await read_on(reader, writer)
        ended.set()

    options = {**SERVER_OPTIONS, "handler_cancellation": False}
    gate = await street.gate(await street.raw_shop(talk), options=options)
    _, writer = await gate.connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
    await begun.wait()
    writer.transport.abort()
    await ended.wait()
    assert isinstance(gate.troubles[0], BodyBroken)


async def test_a_shopper_who_takes_nothing_is_let_go(street: Street) -> None:
    """An answer that is not taken holds no connection of the shop for ever."""
    cancelled = asyncio.Event()

    async def shop(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(bytes(2**16))
        finally:
            cancelled.set()

    gate = await street.gate(await street.shop(shop), shopper_timeout=SOON)
    reader, writer = await gate.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await cancelled.wait()
    writer.transport.abort()
    assert reader


@pytest.mark.parametrize("upgrade", ["websocket", "h2c, WebSocket", "tcp"])
async def test_another_protocol_is_declined(
    street: Street, shopper: aiohttp.ClientSession, upgrade: str
) -> None:
    """A WebSocket is answered 501; the shop never hears of it."""
    gate = await street.gate(await street.raw_shop(saying(b"never")))
    async with shopper.get(gate.url, headers={"Connection": "Upgrade", "Upgrade": upgrade}) as answer:
        assert answer.status == 501
    assert isinstance(gate.troubles[0], UpgradeRefused)


async def test_an_offer_of_http_2_is_ignored(street: Street, shopper: aiohttp.ClientSession) -> None:
    """Clients that offer h2c, as Java's does, get their answer in HTTP/1.1."""
    gate = await street.gate(await street.shop(show_request))
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "x"}
    async with shopper.get(gate.url, headers=offer) as answer:
        assert answer.status == 200
        assert "h2c" not in await answer.text()


async def test_the_body_of_an_upload_is_not_to_be_had() -> None:
    """Whatever in the client library asks for a body as a whole learns that there is none."""
    body = _Upload(aiohttp.StreamReader(BaseProtocol(asyncio.get_running_loop()), 1), 1, 1)
    with pytest.raises(NotImplementedError):
        body.decode()
