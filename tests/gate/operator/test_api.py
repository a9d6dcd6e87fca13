"""The operator's API: reading a room, changing its pace, holding its door, and the audit."""

from typing import Any

import pytest
from redis import Redis

from tests.gate.operator.conftest import Desk
from waitroom.errors import StoreAway
from waitroom.room import HOLDS, Hold, Phase

PACE = "/api/rooms/mi-launch/pace"
HOLD = "/api/rooms/mi-launch/hold"
AUDIT = "/api/rooms/mi-launch/audit"


async def _audit(desk: Desk) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (await desk.send("GET", AUDIT)).document["entries"]
    return entries


async def test_a_room_shows_all_that_is_known_of_it(anna: Desk) -> None:
    """Settings, pace with its version, line, phase and the holds that are possible now."""
    waiting = anna.gate.rooms["mi-launch"].waiting
    await waiting.join(b"e" * 32)
    await waiting.tick(force=True)
    room = await anna.room()
    assert (room["title"], room["phase"], room["store_away"]) == ("Mi Launch", "open", False)
    assert room["pace"] == {
        "rate": 120,
        "capacity": 40,
        "burst": 5,
        "visit_seconds": 600,
        "visit_longest_seconds": 600,
        "more_time_seconds": 0,
        "more_times": 1,
        "version": 1,
    }
    line = room["line"]
    assert (line["issued"], line["called"], line["waiting"], line["coming"]) == (1, 1, 0, 1)
    assert room["holds"] == ["pause", "trust", "sold_out", "close"]


async def test_all_rooms_are_listed(anna: Desk) -> None:
    """Every room in one answer, in the order of the settings, each as it is shown alone."""
    rooms = (await anna.send("GET", "/api/rooms")).document["rooms"]
    assert [room["room"] for room in rooms] == ["mi-launch", "mi-outlet"]
    assert rooms[0] == await anna.room()


async def test_a_new_pace_counts_at_once(anna: Desk) -> None:
    """What is named changes, all else stays, and the version grows."""
    order = {"rate": 90, "capacity": None, "burst": 2, "version": 1, "reason": "the shop is slow"}
    answer = await anna.send("PATCH", PACE, json=order)
    assert answer.status == 200
    pace = answer.document["pace"]
    assert (pace["rate"], pace["capacity"], pace["burst"], pace["version"]) == (90, None, 2, 2)
    assert pace["visit_seconds"] == 600
    assert anna.gate.rooms["mi-launch"].waiting.room.pace.rate == 90
    assert (await anna.send("GET", "/api/rooms/mi-outlet")).document["pace"]["version"] == 1


async def test_a_pace_based_on_an_older_one_is_refused(anna: Desk) -> None:
    """Of two operators who start from the same version the second is told, and changes nothing."""
    assert (await anna.send("PATCH", PACE, json={"rate": 90, "version": 1})).status == 200
    late = await anna.send("PATCH", PACE, json={"rate": 600, "version": 1})
    assert (late.status, late.document["type"]) == (409, "/waitroom/problems/conflict")
    assert (await anna.room())["pace"]["rate"] == 90


async def test_visits_slide_only_when_somebody_says_so(anna: Desk) -> None:
    """Another length of a visit leaves a room without sliding as it is; a longest one makes it slide."""
    answer = await anna.send("PATCH", PACE, json={"visit_seconds": 900, "version": 1})
    assert answer.document["pace"]["visit_longest_seconds"] == 900
    answer = await anna.send("PATCH", PACE, json={"visit_longest_seconds": 1800, "version": 2})
    answer = await anna.send("PATCH", PACE, json={"visit_seconds": 300, "version": 3})
    pace = answer.document["pace"]
    assert (pace["visit_seconds"], pace["visit_longest_seconds"]) == (300, 1800)


@pytest.mark.parametrize(
    "order, words",
    [
        ({"rate": 0}, "rate = 0: must be greater than or equal to 0.01"),
        ({"rate": "90"}, "rate = '90': must be a valid number"),
        ({"rate": True}, "rate = True: must be a valid number"),
        ({"rate": None}, "rate = None: must be a valid number"),
        ({"rate": 1_000_001}, "rate = 1000001: must be less than or equal to 1000000"),
        ({"capacity": 0}, "capacity = 0: must be greater than or equal to 1"),
        ({"capacity": 2.5}, "capacity = 2.5: must be a valid integer"),
        ({"burst": None}, "burst = None: must be a valid integer"),
        ({"visit_seconds": -1}, "visit_seconds = -1: must be greater than or equal to 1"),
        ({"visit_longest_seconds": 5}, "visit_longest_seconds must be at least visit_seconds"),
        ({"speed": 90}, "speed is no field of this request"),
        ({"title": "Mine"}, "title is no field of this request"),
        ({"rate": 90, "reason": "a\nb"}, "reason = 'a\\nb': must be one line of plain text"),
        ({"rate": 90, "reason": "x" * 201}, "must have at most 200 characters"),
        ({"rate": 90, "version": "1"}, "version = '1': must be a valid integer"),
        ({"rate": 0, "burst": 0}, "; burst = 0: must be"),
        ({}, "nothing to change: name one of rate, capacity"),
    ],
)
async def test_a_pace_out_of_bounds_is_explained(anna: Desk, order: dict[str, Any], words: str) -> None:
    """The refusal names each field, its value and what would be right; nothing is changed or audited."""
    answer = await anna.send("PATCH", PACE, json={"version": 1} | order)
    assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert words in answer.document["detail"]
    assert (await anna.room())["pace"]["version"] == 1
    assert await _audit(anna) == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"rate": NaN, "version": 1}',
        b'{"rate": Infinity, "version": 1}',
        b'{"rate": 1e999, "version": 1}',
        b'{"rate": 1' + b"0" * 400 + b', "version": 1}',
        b'{"capacity": 1' + b"0" * 400 + b', "version": 1}',
        b'{"rate": 90, "version": 99999999999999999999999}',
        b"[1]",
        b"{",
        b"\xff",
        b"[" * 4000,
    ],
)
async def test_a_body_that_makes_no_sense_is_a_clear_refusal(anna: Desk, body: bytes) -> None:
    """Numbers beyond all bounds, other shapes and noise are answered by a problem, never a fault."""
    headers = {"Content-Type": "application/json"}
    answer = await anna.send("PATCH", PACE, data=body, headers=headers)
    assert answer.status in {400, 409}
    assert (await anna.room())["pace"]["version"] == 1


async def test_a_form_of_another_site_is_no_order(anna: Desk) -> None:
    """Only JSON is an order: it is what a plain form cannot send."""
    answer = await anna.send("POST", HOLD, data={"action": "close"})
    assert (answer.status, (await anna.room())["phase"]) == (400, "open")


async def test_a_large_body_is_refused(anna: Desk) -> None:
    """An order is small; more is not even read."""
    answer = await anna.send("POST", HOLD, json={"action": "pause", "reason": "x" * 5000})
    assert (answer.status, answer.document["status"]) == (413, 413)


async def test_the_door_is_held_and_let_go(anna: Desk) -> None:
    """Each hold answers the room as it is afterwards, with the holds that are possible then."""
    steps = [
        ("pause", "paused", ["resume", "trust", "sold_out", "close"]),
        ("resume", "open", ["pause", "trust", "sold_out", "close"]),
        ("trust", "open", ["pause", "watch", "sold_out", "close"]),
        ("watch", "open", ["pause", "trust", "sold_out", "close"]),
        ("sold_out", "sold_out", ["restock", "close"]),
        ("restock", "open", ["pause", "trust", "sold_out", "close"]),
        ("close", "closed", ["reopen"]),
        ("reopen", "open", ["pause", "trust", "sold_out", "close"]),
    ]
    for action, phase, holds in steps:
        answer = await anna.send("POST", HOLD, json={"action": action, "reason": f"trying {action}"})
        assert (answer.status, answer.document["phase"], answer.document["holds"]) == (200, phase, holds)


async def test_no_illegal_hold_is_done(anna: Desk) -> None:
    """What the table of holds forbids in a phase is a conflict that names both."""
    await anna.send("POST", HOLD, json={"action": "close"})
    for hold in Hold:
        answer = await anna.send("POST", HOLD, json={"action": hold})
        assert answer.status == (200 if Phase.CLOSED in HOLDS[hold] else 409)
    await anna.send("POST", HOLD, json={"action": "close"})
    conflict = await anna.send("POST", HOLD, json={"action": "resume"})
    assert conflict.document["detail"] == "resume is not possible while the room is closed"


@pytest.mark.parametrize("order", [{}, {"action": "open"}, {"action": 1}, {"action": "pause", "by": "eve"}])
async def test_a_hold_that_is_none_is_explained(anna: Desk, order: dict[str, Any]) -> None:
    """Unknown actions and fields are named."""
    answer = await anna.send("POST", HOLD, json=order)
    assert answer.status == 400
    assert ("by" if "by" in order else "action") in answer.document["detail"]


async def test_every_change_is_audited(anna: Desk) -> None:
    """The audit says who changed what, when, from what, to what and why."""
    await anna.send("PATCH", PACE, json={"rate": 90, "capacity": None, "version": 1, "reason": "slow"})
    await anna.send("POST", HOLD, json={"action": "pause", "reason": "checking"})
    entries = await _audit(anna)
    assert all(entry.pop("by").startswith("Anna ") and entry.pop("id") for entry in entries)
    now = anna.gate.clock.now_ms()
    assert entries == [
        {"what": "rate", "at": now, "from": "120.0", "to": "90.0", "why": "slow"},
        {"what": "capacity", "at": now, "from": "40", "to": "", "why": "slow"},
        {"what": "pause", "at": now, "from": "open", "to": "paused", "why": "checking"},
    ]


async def test_a_long_audit_comes_in_pages(anna: Desk, redis: Redis) -> None:
    """Following ``next`` gives every entry once, oldest first."""
    key = anna.gate.rooms["mi-launch"].waiting.keys.audit
    for number in range(250):
        redis.xadd(key, {"what": str(number), "at": 0, "by": "x", "from": "", "to": "", "why": ""})
    first = (await anna.send("GET", AUDIT)).document
    second = (await anna.send("GET", f"{AUDIT}?after={first['next']}")).document
    found = [entry["what"] for page in (first, second) for entry in page["entries"]]
    assert (found, second["next"]) == ([str(number) for number in range(250)], None)


@pytest.mark.parametrize("after", ["x", "1-2-3", "-", "1;2", "٣", "9" * 30, ""])
async def test_an_audit_is_read_after_a_real_id(anna: Desk, after: str) -> None:
    """Anything but an entry's id is refused."""
    assert (await anna.send("GET", AUDIT, params={"after": after})).status == 400


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/api/rooms/nowhere", 404),
        ("PATCH", "/api/rooms/nowhere/pace", 404),
        ("GET", "/api/rooms/mi-launch/nothing", 404),
        ("GET", "/api", 404),
        ("POST", "/api/rooms", 405),
        ("PUT", PACE, 405),
        ("GET", HOLD, 405),
        ("DELETE", "/healthz", 405),
        ("GET", "/waitroom/mi-launch", 404),
    ],
)
async def test_wrong_addresses_and_methods_are_problems(
    anna: Desk, method: str, path: str, status: int
) -> None:
    """The operator's listener answers them with a problem document, and serves no shopper."""
    answer = await anna.send(method, path)
    assert (answer.status, answer.document["status"]) == (status, status)


async def test_without_the_store_a_change_fails_clearly(anna: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading goes on from memory; changing and signing in answer that the store is out of reach."""

    async def away(*_args: object) -> None:
        raise StoreAway("the store does not answer")

    for name in ("run", "claim", "read_stream"):
        monkeypatch.setattr(anna.gate.store, name, away)
    assert (await anna.send("GET", "/api/rooms")).status == 200
    for answer in (
        await anna.send("PATCH", PACE, json={"rate": 90, "version": 1}),
        await anna.send("POST", HOLD, json={"action": "pause"}),
        await anna.send("GET", AUDIT),
    ):
        assert (answer.status, answer.document["type"]) == (503, "/waitroom/problems/store-away")
    page = await anna.send("POST", "/sign-in", data={"code": anna.link("another")})
    assert (page.status, "It is still good" in page.text) == (503, True)


async def test_an_operator_may_bring_the_beacon(anna: Desk) -> None:
    """A room that awaits none says so; what is no signature is refused."""
    beacon = "/api/rooms/mi-launch/beacon"
    answer = await anna.send("POST", beacon, json={"signature": "00" * 48})
    assert (answer.status, answer.document["type"]) == (409, "/waitroom/problems/beacon-not-awaited")
    assert (await anna.send("POST", beacon, json={})).status == 400


async def test_the_beacon_that_an_operator_brings_settles_the_draw(
    anna: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes the way of any other beacon, and the room is shown as it is after it."""
    waiting, brought = anna.gate.rooms["mi-launch"].waiting, []

    async def take(signature: bytes) -> None:
        brought.append(signature)

    monkeypatch.setattr(waiting, "deliver_beacon", take)
    answer = await anna.send("POST", "/api/rooms/mi-launch/beacon", json={"signature": "ab" * 48})
    assert (answer.status, brought, answer.document["room"]) == (200, [b"\xab" * 48], "mi-launch")
