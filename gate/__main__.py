"""``python -m gate``: run one gate until it is told to stop."""

import asyncio
import gc
import signal
import sys
from contextlib import aclosing

import uvloop
from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from gate.app import build_public_app, open_gate, run_rooms
from gate.logs import configure_logs
from gate.operator.app import build_operator_app
from gate.proxy import SERVER_OPTIONS
from waitroom.clock import Clock
from waitroom.errors import BadSettings, WaitroomError
from waitroom.settings import Settings, load_settings

SHUTDOWN_S = 10


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run the gate until ``stop`` is set; then take no new requests, finish what is under way, and close.

    Raises:
        WaitroomError: the store does not come up or must not be used.
        BadSettings: a port cannot be used.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # when a counter began tells nobody anything
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    gate = await open_gate(settings, clock=Clock(), registry=registry)
    app = build_public_app(gate)
    app.cleanup_ctx.append(run_rooms)
    public = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S, **SERVER_OPTIONS)
    operator = web.AppRunner(build_operator_app(gate), access_log=None, shutdown_timeout=1)
    async with aclosing(gate.store):
        try:
            await _listen(public, settings.host, settings.gate_port, "GATE_PORT")
            await _listen(operator, settings.host, settings.operator_port, "OPERATOR_PORT")
            # What is there now stays; looking at it again in each full collection cost a tenth of a poll's time.
            # And what a request leaves behind goes without it, so that it need not run every few requests.
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 20, 50)
            await stop.wait()
        finally:
            await public.cleanup()
            await operator.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int, variable: str) -> None:
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise BadSettings(f"{variable}: port {port} of {host} cannot be used: {error.strerror}") from None


async def _main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(load_settings(), stop)


def main() -> None:
    """Run the gate; what goes wrong is one clear line and exit status 1."""
    configure_logs()
    try:
        uvloop.run(_main())
    except WaitroomError as error:
        sys.exit(f"gate: {error}")


if __name__ == "__main__":
    main()
