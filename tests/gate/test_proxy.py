"""The proxy carries requests to a real shop and answers back, piece by piece."""

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol

from gate.proxy import (
    UpgradeRefused,
    _Upload,
)
from tests.gate.street import Street, saying, show_request

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


# --- other protocols


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
