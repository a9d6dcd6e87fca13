"""The draw in the browser: the same vectors as Python, computed by draw.js in a real Chromium."""

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
SHUFFLES: list[dict[str, Any]] = json.loads((VECTORS / "shuffle.json").read_text())["vectors"]
DRAWS: list[dict[str, Any]] = json.loads((VECTORS / "draw.json").read_text())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page on which ``draw`` is the module."""

    async def empty(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html>", content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", empty), web.static("/static", ROOT / "gate" / "static")])
    async with TestServer(app) as server:
        page = await browser.new_page()
        await page.goto(str(server.make_url("/")))
        await page.evaluate(
            """Promise.all(["draw", "shuffle"].map((name) => import(`/static/${name}.js`)))
            .then((modules) => { globalThis.draw = Object.assign({}, ...modules); })"""
        )
        yield page
        await page.close()


@pytest.mark.parametrize("vector", SHUFFLES, ids=lambda vector: f"{vector['count']}-{vector['seed'][:6]}")
async def test_browser_shuffles_as_ethereum_does(page: Page, vector: dict[str, Any]) -> None:
    """Every place of a draw is the one that Ethereum's test suite records."""
    script = "([n, seed]) => Array.from({length: n}, (_, i) => draw.shuffle(i, n, seed))"
    places = await page.evaluate(script, [vector["count"], vector["seed"]])
    assert sha256(",".join(map(str, places)).encode()).hexdigest() == vector["digest"]


@pytest.mark.parametrize("vector", DRAWS, ids=["local", "beacon"])
async def test_browser_follows_a_whole_draw(page: Page, vector: dict[str, Any]) -> None:
    """Commitment, leaves, audit path, seed and places come out as in the worked draw."""
    result = await page.evaluate(
        """(v) => ({
            kept: draw.keepsCommitment(JSON.parse(v.commit).commitment, v.secret),
            leaves: v.tickets.map((ticket, i) => draw.leaf(ticket, v.entropy[i])),
            root: draw.rootOf(v.leaves[v.audit_path.number], v.audit_path.number, v.size, v.audit_path.path),
            seed: draw.seedOf(v.commit, v.secret, v.root, v.size, v.beacon),
            places: v.tickets.map((_, i) => draw.shuffle(i, v.size, v.seed)),
        })""",
        vector,
    )
    expected = {name: vector[name] for name in ("leaves", "root", "seed", "places")}
    assert result == {"kept": True, **expected}


async def test_edited_draw_is_noticed(page: Page) -> None:
    """Another secret, another leaf, and a path of the wrong length each fail their check."""
    result = await page.evaluate(
        """(v) => {
            const { number, path } = v.audit_path;
            const wrong = "00".repeat(32);
            return [
                draw.keepsCommitment(JSON.parse(v.commit).commitment, wrong),
                draw.rootOf(wrong, number, v.size, path) === v.root,
                draw.rootOf(v.leaves[number], number, v.size, path.slice(1)) === v.root,
                draw.rootOf(v.leaves[number], number, v.size, [...path, wrong]) === v.root,
                draw.rootOf(v.leaves[number], v.size, v.size, path) === v.root,
            ];
        }""",
        DRAWS[0],
    )
    assert result == [False] * 5


@pytest.mark.parametrize("number", [-1, 7, None])
async def test_number_outside_the_draw_has_no_place(page: Page, number: int | None) -> None:
    """A number that took no part in the draw is an error, never a place."""
    script = (
        "([i, seed]) => { try { return draw.shuffle(i, 7, seed); } catch (error) { return error.name; } }"
    )
    assert await page.evaluate(script, [number, DRAWS[0]["seed"]]) == "RangeError"


async def test_place_among_a_million_takes_under_50_ms(page: Page) -> None:
    """One's own place in a draw of 1,000,000 is computed without a pause that anyone notices."""
    script = """(seed) => {
        const start = performance.now();
        draw.shuffle(999_999, 1_000_000, seed);
        return performance.now() - start;
    }"""
    assert await page.evaluate(script, DRAWS[0]["seed"]) < 50
