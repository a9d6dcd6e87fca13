"""A gate that is told to stop: it takes nothing new, finishes what it holds, and ends well."""

import asyncio
import signal

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.whole_sale.conftest import Begin
from tests.whole_sale.processes import WholeSale, eventually


async def test_sigterm_lets_the_gate_finish_what_it_holds(begin: Begin) -> None:
    """An answer that is under way at SIGTERM comes whole; new connections are refused; the exit status is 0."""
    arrived, finish = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"first ")
        arrived.set()
        await finish.wait()
        await answer.write(b"last")
        return answer

    app = web.Application()
    app.router.add_get("/slow", slow)
    async with TestServer(app) as shop:
        sale = await begin(environ={"WAITROOM_UPSTREAM": str(shop.make_url("")).rstrip("/")})
        gate = sale.gates[0]
        under_way = asyncio.create_task(_read(sale, "/slow"))
        await arrived.wait()
        gate.tell(signal.SIGTERM)
        await eventually(lambda: _refuses(sale))
        finish.set()
        assert await under_way == "first last"
        async with asyncio.timeout(5):
            assert await gate.ended() == 0


async def _read(sale: WholeSale, path: str) -> str:
    async with sale.session.get(sale.url + path) as answer:
        return await answer.text()


async def _refuses(sale: WholeSale) -> bool:
    try:
        await _read(sale, "/slow-too")
    except aiohttp.ClientConnectionError:
        return True
    return False
