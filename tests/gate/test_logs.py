"""What an operator finds in the logs."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from gate.logs import configure_logs, log_events
from waitroom import events
from waitroom.room import Phase


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    level = logging.getLogger("aiohttp.server").level
    yield
    logging.getLogger("aiohttp.server").setLevel(level)
    structlog.reset_defaults()


def _fail(token: str) -> None:
    raise ValueError(len(token))


def test_machines_read_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """One line an event, with its level and time; a traceback shows no local variables, for they hold tokens."""
    configure_logs()
    try:
        _fail("a secret")
    except ValueError:
        structlog.get_logger().exception("fault", room="mi-launch")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["room"]) == ("fault", "error", "mi-launch")
    assert line["timestamp"].endswith("Z")
    assert "ValueError: 8" in line["exception"]
    assert "token = " not in line["exception"]


def test_people_read_plain_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    configure_logs()
    structlog.get_logger().info("phase", room="mi-launch")
    assert "mi-launch" in capsys.readouterr().err


def test_what_matters_is_logged_and_nothing_else() -> None:
    """Phases, the draw, and the store's going and coming; not what shoppers do."""
    with capture_logs() as logs:
        log_events(events.PhaseChanged("mi-launch", Phase.PRESALE, Phase.DRAWING))
        log_events(events.Drawn("mi-launch", 3, bytes(32)))
        log_events(events.StoreLost("gone"))
        log_events(events.StoreBack())
        log_events(events.Joined("mi-launch", 1, 0))
        log_events(events.Knocked("mi-launch", "door"))
    assert [log["event"] for log in logs] == ["phase", "drawn", "store lost", "store back"]
    assert logs[1] == {
        "event": "drawn",
        "log_level": "info",
        "room": "mi-launch",
        "size": 3,
        "seed": "00" * 32,
    }
