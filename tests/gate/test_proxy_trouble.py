"""Whatever goes wrong between shopper, gate and shop, the proxy says whose fault it is and holds nothing."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from gate.proxy import (
    SERVER_OPTIONS,
    BodyBroken,
    BodyStalled,
    UpstreamRefused,
    UpstreamTimeout,
)
from tests.gate.street import SOON, Handler, Street, saying

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


def endless() -> tuple[Handler, asyncio.Event]:
    """A shop whose answer has no end, and whether it was told to stop."""
    cancelled = asyncio.Event()

    async def shop(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(bytes(2**16))
        finally:
            cancelled.set()

    return shop, cancelled


@pytest.mark.parametrize("told", [True, False])
async def test_a_shopper_who_leaves_within_an_answer_frees_the_shop(street: Street, *, told: bool) -> None:
    """An endless answer ends when nobody takes it, also if the server does not tell."""
    shop, cancelled = endless()
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
    shop, cancelled = endless()
    gate = await street.gate(await street.shop(shop), shopper_timeout=SOON)
    reader, writer = await gate.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await cancelled.wait()
    writer.transport.abort()
    assert reader
