"""The forecasts in the browser: line.js in a real Chromium works out what waitroom/forecast.py does."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser

from waitroom.forecast import Flow, chance, wait
from waitroom.room import Line

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATIC = Path(__file__).parents[2] / "gate" / "static"
AHEAD = (0, 1, 250, 90_000)
PACES = ((0.0, 0.0), (90.0, 0.0), (90.0, 60.0), (130.2, 130.2), (900.0, 31.7), (0.0, 1e-9))
LIMITS = ((60.0, 60.0), (120.0, 4.07), (30.0, 0.0))
ENTRIES = ((0, 0), (40, 40), (7_000, 35))
UNITS = ((None, 0), (0, 12), (3, 250), (5_000, 17))


def _states() -> list[dict[str, Any]]:
    return [
        {
            "called_per_minute": called,
            "entering_per_minute": entering,
            "rate": rate,
            "sustained_per_minute": sustained,
            "show_rate": 0.37,
            "entries": entries,
            "visits": visits,
            "units_left": left,
            "units_taken": taken,
        }
        for (called, entering), (rate, sustained), (entries, visits), (left, taken) in product(
            PACES, LIMITS, ENTRIES, UNITS
        )
    ]


def _told(ahead: int, state: dict[str, Any]) -> tuple[dict[str, int] | None, float | None]:
    flow = Flow(
        called=state["called_per_minute"],
        entering=state["entering_per_minute"],
        rate=state["rate"],
        sustained=state["sustained_per_minute"],
        show_rate=state["show_rate"],
        entries=state["entries"],
    )
    line = Line(**{name: state[name] for name in ("entries", "visits", "units_left", "units_taken")})
    expected = wait(ahead, flow)
    return expected and {"low": expected[0], "high": expected[1]}, chance(ahead, flow, line)


async def test_browser_forecasts_as_the_gate_does(browser: Browser) -> None:
    """Wait and chance are the same in both, over all that may bind, be measured, or not be known yet."""
    app = web.Application()
    app.router.add_static("/", STATIC)
    grid = list(product(AHEAD, _states()))
    async with TestServer(app) as server:
        page = await browser.new_page()
        await page.goto(str(server.make_url("/queue.css")))
        told = await page.evaluate(
            """async (grid) => {
                const { chanceFor, waitFor } = await import('/line.js');
                return grid.map(([ahead, state]) => [waitFor(ahead, state), chanceFor(ahead, state)]);
            }""",
            grid,
        )
        await page.close()
    for (ahead, state), (range_there, chance_there) in zip(grid, told, strict=True):
        range_here, chance_here = _told(ahead, state)
        assert range_there == range_here, (ahead, state)
        assert (chance_there is None) == (chance_here is None)
        assert (chance_there or 0) == pytest.approx(chance_here or 0, rel=1e-9, abs=1e-12), (ahead, state)
