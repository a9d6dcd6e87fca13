"""The yardstick: the smallest aiohttp application that answers JSON. Run ``python tests/bench/bare.py PORT``."""

import asyncio
import sys

import uvloop
from aiohttp import web

ANSWER = {"room": "bench", "number": 123_456, "place": 654_321, "ahead": 400_000, "called": False}


async def answer(_request: web.Request) -> web.Response:
    """Answer a small JSON document."""
    return web.json_response(ANSWER)


async def main(port: int) -> None:
    """Serve on loopback until stopped."""
    app = web.Application()
    app.router.add_get("/bare", answer)
    app.router.add_get("/guarded", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
