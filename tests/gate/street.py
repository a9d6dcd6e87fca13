"""A street for the tests of the proxy: real shops and gates side by side, and a way to talk bytes to them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gate import problems
from gate.paths import normalise
from gate.proxy import SERVER_OPTIONS, OnAnswer, ProxyError, Upstream

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
                return problems.answer(request, error)
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
