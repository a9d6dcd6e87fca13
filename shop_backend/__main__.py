"""``python -m shop_backend``: the shop on its port, until SIGTERM or Ctrl-C."""

import errno
import logging
import sys

import uvloop
from aiohttp import web

from shop_backend.app import build_app
from shop_backend.settings import load_shop_settings
from waitroom.clock import Clock
from waitroom.errors import BadSettings

FINISH_SECONDS = 10
"""How long a stopping shop waits for answers under way."""


def main() -> int:
    """Run the shop; the exit status says whether it could start."""
    logging.basicConfig(level=logging.WARNING, format="shop: %(message)s")
    try:
        settings = load_shop_settings()
    except BadSettings as error:
        return _fail(str(error))
    app = build_app(settings, clock=Clock())
    try:
        web.run_app(
            app,
            host=settings.host,
            port=settings.port,
            loop=uvloop.new_event_loop(),
            shutdown_timeout=FINISH_SECONDS,
            # What was begun is done, though its sender has gone: a cut transaction may keep SQLite locked.
            handler_cancellation=False,
            access_log=None,
            print=None,
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _fail(f"port {settings.port} is taken; set SHOP_PORT to a free one")
        return _fail(f"the shop can't start: {error}")
    return 0


def _fail(reason: str) -> int:
    print(f"shop: {reason}", file=sys.stderr)  # noqa: T201 - the one line a failed start leaves
    return 1


sys.exit(main())
