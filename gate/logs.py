"""Logs: one line an event worth a person's attention; requests are counted, not logged."""

import logging
import sys

import structlog

from waitroom import events


def configure_logs() -> None:
    """Log to standard error: for people on a terminal, as JSON elsewhere."""
    # aiohttp's server would log each malformed request; faults are logged where they are answered.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    # Plain tracebacks: pretty ones show local variables, and those hold tokens.
    renderers: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if sys.stderr.isatty()
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def log_events(event: events.Event) -> None:
    """Observe a line: log what an operator would want to find later."""
    log = structlog.get_logger()
    match event:
        case events.PhaseChanged(room, before, after):
            log.info("phase", room=room, before=before, after=after)
        case events.Drawn(room, size, seed):
            log.info("drawn", room=room, size=size, seed=seed.hex())
        case events.StoreLost(reason):
            log.error("store lost", reason=reason)
        case events.StoreBack():
            log.info("store back")
        case _:
            pass
