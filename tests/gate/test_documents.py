"""What everyone alike may read: the page, the state, the draw's documents, the public record."""

import gzip
import json
from hashlib import sha256

import pytest
from redis import Redis

from gate.gate import FRESH_MS
from tests.conftest import ROOM, entropy
from tests.gate.conftest import OpenFront
from tests.gate.front import BASE, OPEN, Front, open_front
from waitroom import draw
from waitroom.clock import ManualClock
from waitroom.room import Hold


async def drawn(front: Front) -> None:
    """The presale's end and the draw."""
    await front.later(60_000)
    await front.later(FRESH_MS)


# ---- The page


async def test_the_page_is_the_same_for_everyone_and_compressed_once(front: Front) -> None:
    """Any cache may keep it; whoever takes gzip gets gzip, and its tag saves the body."""
    shopper = await front.in_line()
    packed = await shopper.get(BASE, {"Accept-Encoding": "gzip, deflate, br"})
    plain = await front.shopper().get(f"{BASE}?next=/sale/redmi", {"Accept-Encoding": "gzip;q=0, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["Cache-Control"] == "public, max-age=60"
    assert packed.headers["Vary"] == "Accept-Encoding, Accept-Language"
    assert "Set-Cookie" not in packed.headers
    held = await shopper.get(BASE, {"If-None-Match": packed.headers["ETag"]})
    assert (held.status, held.body) == (304, b"")


async def test_asking_for_the_head_alone_gives_the_head_alone(front: Front) -> None:
    """HEAD answers as GET does, without the body."""
    for address in (BASE, f"{BASE}/state", f"{BASE}/log"):
        got, head = await front.shopper().get(address), await front.shopper().send("HEAD", address)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == str(len(got.body))


# ---- The state


async def test_the_state_says_what_the_page_needs_and_no_more(front_with: OpenFront) -> None:
    """The whole public document, times in epoch milliseconds; nobody's secret is in it."""
    front = await front_with(title="Mi Launch", notice="Hello", identity=True, capacity=10)
    await front.shopper("anna").join(1)
    await front.later(FRESH_MS)
    answer = await front.shopper().get(f"{BASE}/state")
    now = front.clock.now_ms()
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.document == {
        "room": ROOM,
        "title": "Mi Launch",
        "phase": "open",
        "joinable": True,
        "now": now,
        "presale_opens_at": None,
        "presale_closes_at": None,
        "opens_at": now - FRESH_MS,
        "closes_at": None,
        "issued": 1,
        "called": 1,
        "entries": 0,
        "visits": 0,
        "at_door": 0,
        "called_per_minute": 0.0,
        "entering_per_minute": 0.0,
        "rate": 6000.0,
        "sustained_per_minute": 1.0,
        "show_rate": 1.0,
        "units_left": None,
        "units_held": None,
        "units_taken": 0,
        "draw": None,
        "identity": True,
        "sign_in": "/account/sign-in",
        "notice": "Hello",
        "reason": "",
        "shop_trouble": False,
        "store_away": False,
        "poll": {"near_s": 2, "far_s": 20},
    }


async def test_any_cache_may_hold_the_state_for_a_second(front: Front) -> None:
    """max-age=1 and a tag; a tag that a cache on the way has weakened counts as well."""
    state = await front.shopper().get(f"{BASE}/state")
    tag = state.headers["ETag"]
    assert state.headers["Cache-Control"] == "public, max-age=1"
    for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await front.shopper().get(f"{BASE}/state", {"If-None-Match": held})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["Cache-Control"] == "public, max-age=1"
    other = await front.shopper().get(f"{BASE}/state", {"If-None-Match": '"other"'})
    assert other.body == state.body


async def test_the_state_is_built_once_a_second(front: Front) -> None:
    """Whatever happens in between, everyone reads the same bytes; a second later they are new."""
    first = await front.shopper().get(f"{BASE}/state")
    await front.in_line()
    await front.later(FRESH_MS - 1)
    assert (await front.shopper().get(f"{BASE}/state")).body == first.body
    await front.later(1)
    second = await front.shopper().get(f"{BASE}/state")
    assert second.document["issued"] == 1
    assert second.headers["ETag"] != first.headers["ETag"]


async def test_the_state_is_built_anew_when_the_clock_was_set_back(front: Front) -> None:
    """What was built by a clock that was ahead does not stand until then."""
    await front.in_line()
    await front.later(-600_000)
    assert (await front.shopper().get(f"{BASE}/state")).document["issued"] == 1


async def test_a_new_phase_is_told_at_once(front: Front) -> None:
    """A pause, its reason and a sold-out sale wait for nobody's second."""
    await front.room.waiting.hold(Hold.PAUSE, by="test", reason="one moment")
    await front.room.tick()
    state = (await front.shopper().get(f"{BASE}/state")).document
    assert (state["phase"], state["reason"]) == ("paused", "one moment")


async def test_a_poll_costs_the_store_nothing(front: Front, redis: Redis) -> None:
    """Reading the state, the page or one's own place is arithmetic in memory: not one command."""
    shopper = await front.in_line()
    redis.config_resetstat()
    for _ in range(5):
        for address in (BASE, f"{BASE}/state", f"{BASE}/ticket", f"{BASE}?plain=1"):
            assert (await shopper.get(address)).status == 200
    assert set(redis.info("commandstats")) <= {"cmdstat_config|resetstat", "cmdstat_info"}


# ---- The draw


async def test_the_draw_can_be_checked_from_public_documents_alone(front_with: OpenFront) -> None:
    """Commitment before, secret after; roll, root and seed fit, and lead to the place that was given."""
    front = await front_with(opens_in=60, presale=True)
    shoppers = [await front.in_line() for _ in range(5)]
    anyone = front.shopper()
    before = await anyone.get(f"{BASE}/draw")
    assert before.headers["Cache-Control"] == "public, max-age=1"
    assert (before.document["secret"], before.document["seed"], before.document["size"]) == (None, None, None)
    await drawn(front)
    after = await anyone.get(f"{BASE}/draw")
    document = after.document
    roll = (await anyone.get(f"{BASE}/roll")).body
    secret, root = bytes.fromhex(document["secret"]), draw.merkle_root(roll)
    assert after.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert document["commit"] == before.document["commit"]
    assert json.loads(document["commit"])["commitment"] == sha256(secret).hexdigest()
    assert document["commitment"] == before.document["commitment"] == sha256(secret).hexdigest()
    assert document["root"] == root.hex()
    seed = draw.seed(document["commit"].encode(), secret, root, 5)
    assert document["seed"] == seed.hex()
    for number, shopper in enumerate(shoppers):
        stands = (await shopper.stand()).document
        assert stands["place"] == draw.shuffle(number, 5, seed)
        leaf = draw.leaf(bytes.fromhex(stands["ticket"]), entropy(number))
        assert roll[32 * number :][:32] == leaf
    state = (await anyone.get(f"{BASE}/state")).document
    assert state["draw"] == {name: document[name] for name in state["draw"]}


async def test_a_room_without_a_presale_draws_nothing(front: Front) -> None:
    """There is no draw and no roll: 404."""
    for address in ("draw", "roll"):
        assert (await front.shopper().get(f"{BASE}/{address}")).problem == (404, "not-found")


async def test_the_roll_is_published_once_it_is_drawn(front_with: OpenFront) -> None:
    """Before: 404. After: the leaves as bytes, kept for good by whoever read them once."""
    front = await front_with(opens_in=60, presale=True)
    await front.in_line()
    assert (await front.shopper().get(f"{BASE}/roll")).problem == (404, "not-found")
    await drawn(front)
    roll = await front.shopper().get(f"{BASE}/roll")
    assert (roll.headers["Content-Type"], len(roll.body)) == ("application/octet-stream", 32)
    assert roll.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    held = await front.shopper().get(f"{BASE}/roll", {"If-None-Match": roll.headers["ETag"]})
    assert (held.status, held.body) == (304, b"")
    head = await front.shopper().send("HEAD", f"{BASE}/roll")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, "32", b"")


async def test_a_roll_of_nobody_is_empty(front_with: OpenFront) -> None:
    """A presale without shoppers is drawn like any other."""
    front = await front_with(opens_in=60, presale=True)
    await drawn(front)
    roll = await front.shopper().get(f"{BASE}/roll")
    assert (roll.status, roll.headers["Content-Length"], roll.body) == (200, "0", b"")


# ---- The record


async def test_the_record_tells_all_that_happened_in_order(front_with: OpenFront) -> None:
    """Founding, freeze, draw, calls and holds, with their times."""
    front = await front_with(opens_in=60, presale=True)
    await front.in_line()
    await drawn(front)
    await front.later(250)
    await front.room.waiting.hold(Hold.PAUSE, by="anna", reason="one moment")
    log = await front.shopper().get(f"{BASE}/log")
    entries = log.document["entries"]
    assert log.headers["Cache-Control"] == "public, max-age=1"
    kinds = [entry["kind"] for entry in entries]
    assert kinds == ["found", "phase", "freeze", "roll", "draw", "phase", "call", "pause", "phase"]
    assert entries[-2]["reason"] == "one moment"
    assert log.document["next"] is None
    assert "anna" not in log.text


async def test_a_long_record_is_read_a_page_at_a_time(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """``next`` leads to the following page, until there is none."""
    monkeypatch.setattr("gate.proof.LOG_PAGE", 2)
    for action in (Hold.PAUSE, Hold.RESUME):
        await front.room.waiting.hold(action, by="test")
    first = (await front.shopper().get(f"{BASE}/log")).document
    second = (await front.shopper().get(f"{BASE}/log?after={first['next']}")).document
    third = (await front.shopper().get(f"{BASE}/log?after={second['next']}")).document
    last = await front.shopper().get(f"{BASE}/log?after={third['next']}")
    pages = [first, second, third, last.document]
    kinds = [entry["kind"] for page in pages for entry in page["entries"]]
    assert kinds == ["found", "phase", "pause", "phase", "resume", "phase"]
    assert [page["next"] for page in pages] == [*(page["entries"][-1]["id"] for page in pages[:3]), None]
    full = await front.shopper().get(f"{BASE}/log")
    assert (full.headers["Cache-Control"], last.headers["Cache-Control"]) == (
        "public, max-age=3600",
        "public, max-age=1",
    )


async def test_rooms_have_documents_of_their_own(redis: Redis, store_url: str, clock: ManualClock) -> None:
    """Several rooms at once: each has its line, and a ticket of one is nothing in the other."""
    redis.ping()
    rooms = {ROOM: OPEN, "outlet": OPEN.model_copy(update={"protect": ("/outlet",)})}
    async with open_front(store_url, clock, rooms) as front:
        shopper = await front.in_line()
        assert (await shopper.stand("outlet")).problem == (401, "token-invalid")
        assert (await shopper.join(5, "outlet")).document["number"] == 0
        assert (await shopper.get("/waitroom/outlet/state")).document["room"] == "outlet"
        assert set(shopper.cookies) == {f"waitroom_ticket_{ROOM}", "waitroom_ticket_outlet"}
