"""The draw by beacon over HTTP, with relays that are late, wrong or silent; audit paths for whoever asks."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from redis import Redis

from gate.app import build_public_app, run_rooms
from gate.relays import Relays
from tests.gate.conftest import OpenFront
from tests.gate.front import BASE, Front
from waitroom import beacon, draw
from waitroom.clock import ManualClock
from waitroom.presale import randomness

ROUND = 657_413
VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "drand.json").read_text())
ROUNDS: dict[int, dict[str, Any]] = {each["round"]: each for each in VECTORS["beacons"]}
SIGNATURE: str = ROUNDS[ROUND]["signature"]
BY_DRAND: dict[str, Any] = {"presale": True, "draw": "drand", "drawing_seconds": 75}
OPENS_IN, CLOSES_MS, ROUND_MS = 130, 55_000, 115_000


class Relay:
    """A relay of drand that serves real rounds, or what a test wants."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[int, web.Response | str | bytes] = {}
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A round, if it is there yet."""
        self.asked.append(request.path)
        answer = self.answers.get(int(request.match_info["round"]))
        if isinstance(answer, web.Response):
            return answer
        if answer is None:
            raise web.HTTPNotFound
        return web.Response(body=answer, content_type="application/json")


@pytest_asyncio.fixture
async def relay() -> AsyncIterator[Relay]:
    """A relay without any round yet."""
    relay = Relay()
    app = web.Application()
    app.router.add_get(f"/{beacon.CHAIN.hex()}/public/{{round}}", relay.answer)
    async with TestServer(app) as server:
        relay.url = str(server.make_url("")).rstrip("/")
        yield relay


@pytest_asyncio.fixture
async def front(front_with: OpenFront, clock: ManualClock, relay: Relay) -> Front:
    """A room that draws by round 657413, with five in its presale, its list just published."""
    clock.at_ms = beacon.time_of(ROUND) - ROUND_MS
    front = await front_with(opens_in=OPENS_IN, drand_relays=[relay.url], **BY_DRAND)
    for _ in range(5):
        await front.in_line()
    await front.later(CLOSES_MS)
    return front


@pytest_asyncio.fixture
async def relays(relay: Relay) -> AsyncIterator[Relays]:
    """What the gate asks: a relay that nobody answers at, then the local one."""
    async with Relays.open(["http://127.0.0.1:9", relay.url]) as relays:
        yield relays


async def shown(front: Front) -> dict[str, Any]:
    """The draw's document."""
    return (await front.shopper().get(f"{BASE}/draw")).document


# ---- Relays


async def test_a_gate_asks_no_relay_before_the_round_can_be_there(
    front: Front, relays: Relays, relay: Relay
) -> None:
    """Neither in the presale nor in the minute after it."""
    await front.later(ROUND_MS - CLOSES_MS - 1)
    await relays.bring(front.room)
    assert relay.asked == []


async def test_a_late_round_is_taken_when_it_comes(front: Front, relays: Relays, relay: Relay) -> None:
    """Until then the room stays in drawing, says for which round it waits, and asks again."""
    await front.later(ROUND_MS - CLOSES_MS)
    for _ in range(3):
        await relays.bring(front.room)
        await front.later(60_000)
    waiting = await shown(front)
    assert (waiting["round"], waiting["seed"], waiting["signature"]) == (ROUND, None, None)
    state = (await front.shopper().get(f"{BASE}/state")).document
    assert (state["phase"], state["draw"]["round_at"]) == ("drawing", beacon.time_of(ROUND))
    relay.answers[ROUND] = json.dumps(ROUNDS[ROUND])
    await relays.bring(front.room)
    await front.later(1_000)
    document = await shown(front)
    assert document["beacon"] == ROUNDS[ROUND]["randomness"] == randomness(bytes.fromhex(SIGNATURE)).hex()
    secret, root, random = (bytes.fromhex(document[name]) for name in ("secret", "root", "beacon"))
    seed = draw.seed(document["commit"].encode(), secret, root, 5, random)
    assert document["seed"] == seed.hex()
    await relays.bring(front.room)
    assert len(relay.asked) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        json.dumps(ROUNDS[42] | {"round": ROUND}),
        json.dumps({"round": ROUND}),
        json.dumps([1]),
        json.dumps({"signature": 7}),
        b"<html>",
        b" " * 10_000,
        "",
        pytest.param(None, id="a redirect"),
    ],
    ids=lambda wrong: str(wrong)[:20],
)
async def test_a_wrong_answer_is_not_taken(
    front: Front, relays: Relays, relay: Relay, wrong: str | bytes | None
) -> None:
    """Another round's signature, no signature, no JSON, too much of it: the room goes on waiting."""
    redirect = web.Response(status=302, headers={"Location": "/elsewhere"})
    relay.answers[ROUND] = redirect if wrong is None else wrong
    await front.later(ROUND_MS - CLOSES_MS)
    await relays.bring(front.room)
    await front.later(1_000)
    assert len(relay.asked) == 1
    assert (await shown(front))["seed"] is None
    assert front.room.waiting.awaited_round == ROUND


async def test_whoever_is_slower_has_nothing_to_bring(
    front: Front, relays: Relays, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser delivered the beacon while the relay was asked."""
    await front.later(ROUND_MS - CLOSES_MS)
    fetch = relays._fetch

    async def slowly(_address: str, number: int) -> bytes:
        await front.room.waiting.deliver_beacon(bytes.fromhex(SIGNATURE))
        relay.answers[number] = json.dumps(ROUNDS[ROUND])
        return await fetch(relay.url, number)

    monkeypatch.setattr(relays, "_fetch", slowly)
    await relays.bring(front.room)
    assert front.room.waiting.awaited_round is None


async def test_the_gates_loops_fetch_the_beacon_and_seal_the_record(front: Front, relay: Relay) -> None:
    """Without anyone doing anything."""
    relay.answers[ROUND] = json.dumps(ROUNDS[ROUND])
    await front.later(ROUND_MS - CLOSES_MS)
    app = build_public_app(front.gate)
    app.cleanup_ctx.append(run_rooms)
    async with AsyncExitStack() as closing:
        runner = web.AppRunner(app)
        closing.push_async_callback(runner.cleanup)
        await runner.setup()
        while front.room.waiting.line.seed is None or not front.room.waiting.line.seal:
            await front.room.tick()
    log = (await front.shopper().get(f"{BASE}/log")).document["entries"]
    assert {"seal", "draw"} <= {entry["kind"] for entry in log}


# ---- Anyone


async def test_any_browser_may_deliver_the_beacon(front: Front) -> None:
    """It is verified, so it need not be trusted; the sale opens as if a relay had brought it."""
    shopper = front.shopper()
    await front.later(ROUND_MS - CLOSES_MS)
    answer = await shopper.send("POST", f"{BASE}/draw", json={"signature": SIGNATURE})
    assert (answer.status, answer.document) == (202, {"round": ROUND})
    assert answer.headers["Cache-Control"] == "no-store"
    await front.later(15_000)
    assert (await shown(front))["signature"] == SIGNATURE
    assert (await shopper.get(f"{BASE}/state")).document["phase"] == "open"
    again = await shopper.send("POST", f"{BASE}/draw", json={"signature": SIGNATURE})
    assert again.problem == (409, "beacon-not-awaited")


async def test_what_is_no_beacon_is_refused(front: Front) -> None:
    """Too early, another round's, no hexadecimal, nothing at all."""
    shopper = front.shopper()
    early = await shopper.send("POST", f"{BASE}/draw", json={"signature": SIGNATURE})
    assert early.problem == (409, "beacon-not-awaited")
    await front.later(ROUND_MS - CLOSES_MS)
    other = await shopper.send("POST", f"{BASE}/draw", json={"signature": ROUNDS[42]["signature"]})
    assert (other.problem, other.document["round"]) == ((400, "beacon-invalid"), ROUND)
    for body in ({}, {"signature": "zz"}, {"signature": 7}, {"signature": SIGNATURE[2:]}):
        answer = await shopper.send("POST", f"{BASE}/draw", json=body)
        assert answer.problem == (400, "bad-request")


# ---- Audit paths


async def test_the_path_of_a_number_leads_to_the_root(front: Front) -> None:
    """Public before the draw, with the place after it; then any cache may keep it for good."""
    shopper = front.shopper()
    before = await shopper.get(f"{BASE}/draw/3")
    assert (before.headers["Cache-Control"], before.document["place"]) == ("public, max-age=1", None)
    await front.later(ROUND_MS - CLOSES_MS)
    await front.room.waiting.deliver_beacon(bytes.fromhex(SIGNATURE))
    await front.later(0)
    drawn = await shown(front)
    roll = (await shopper.get(f"{BASE}/roll")).body
    for number in range(5):
        answer = await shopper.get(f"{BASE}/draw/{number}")
        document = answer.document
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        leaf, root = bytes.fromhex(document["leaf"]), bytes.fromhex(document["root"])
        path = [bytes.fromhex(node) for node in document["path"]]
        assert leaf == roll[32 * number :][:32]
        assert (document["number"], document["size"], document["root"]) == (number, 5, drawn["root"])
        assert draw.verify_path(leaf, number, 5, path, root)
        assert document["place"] == draw.shuffle(number, 5, bytes.fromhex(drawn["seed"]))


async def test_a_number_outside_the_draw_has_no_path(front: Front, redis: Redis) -> None:
    """Nor one whose leaf the store has lost; and each says why."""
    shopper = front.shopper()
    late = await shopper.get(f"{BASE}/draw/5")
    assert late.problem == (404, "not-found")
    assert "place is its number" in late.text
    redis.set(front.room.waiting.keys.roll, bytes(160))
    assert (await shopper.get(f"{BASE}/draw/1")).problem == (404, "not-found")
    assert (await shopper.get(f"{BASE}/draw/-1")).status == 404


async def test_before_the_end_of_the_presale_there_is_no_path(front_with: OpenFront) -> None:
    """There is no list yet."""
    front = await front_with(opens_in=60, presale=True)
    await front.in_line()
    assert (await front.shopper().get(f"{BASE}/draw/0")).problem == (404, "not-found")
