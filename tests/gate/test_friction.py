"""What a room may ask of whoever joins: work, a wait instead of it, and no more than so many from one network."""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import pytest
from altcha import Challenge, Payload, solve_challenge
from redis import Redis

from gate.work import GOOD_FOR_MS
from tests.conftest import ROOM, entropy
from tests.gate.conftest import OpenFront
from tests.gate.front import BASE, HTML, OPEN, Answer, Front, Shopper, open_front
from waitroom.clock import ManualClock
from waitroom.model import RETRY_MS
from waitroom.settings import RoomSettings
from waitroom.tickets import stamp_cookie, ticket_cookie

WORK = {"friction": {"work": 3}}
PLAIN = f"{BASE}?plain=1"
UNPACKED = {"Accept-Encoding": "identity"}
WAIT_MS = 30_000


async def challenge_for(shopper: Shopper, seed: int, room: str = ROOM) -> dict[str, Any]:
    """What a join with this entropy is asked for."""
    own = hashlib.sha256(entropy(seed)).hexdigest()
    answer = await shopper.get(f"/waitroom/{room}/challenge?for={own}")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    return answer.document


def solve(document: dict[str, Any]) -> str:
    """ALTCHA's payload for a challenge, by ALTCHA's own solver."""
    challenge = Challenge.from_dict(document)
    solution = solve_challenge(challenge)
    assert solution
    return Payload(challenge, solution).to_base64()


async def earn(shopper: Shopper, seed: int, room: str = ROOM) -> str:
    """The work for a join with this entropy."""
    return solve(await challenge_for(shopper, seed, room))


async def join(shopper: Shopper, seed: int, work: object, room: str = ROOM, **headers: str) -> Answer:
    """Join with this entropy and this work."""
    body = {"entropy": entropy(seed).hex(), "work": work}
    return await shopper.send("POST", f"/waitroom/{room}/ticket", headers, json=body)


def refusals(front: Front) -> dict[str, float]:
    """Refused joins so far, by reason."""
    families = {family.name: family for family in front.gate.registry.collect()}
    samples = families["gate_refused_joins"].samples
    return {each.labels["reason"]: each.value for each in samples if each.labels["room"] == ROOM}


async def test_whoever_has_done_the_work_joins(front_with: OpenFront) -> None:
    """The challenge is ALTCHA's; its own solver's payload, sent with the same entropy, gets a ticket."""
    front = await front_with(**WORK)
    shopper = front.shopper()
    joined = await join(shopper, 1, await earn(shopper, 1))
    assert (joined.status, joined.document["number"]) == (201, 0)
    assert refusals(front) == {}


async def test_whoever_has_not_reads_why_and_what_to_do(front_with: OpenFront) -> None:
    """A problem document that names the reason and the address of the challenge; no number is given."""
    front = await front_with(**WORK)
    answer = await front.shopper().join(1)
    assert answer.problem == (403, "work-needed")
    assert answer.document["reason"] == "missing"
    assert answer.document["challenge"] == f"{BASE}/challenge"
    assert "against programs" in answer.document["detail"]
    assert refusals(front) == {"missing": 1}
    await front.later(250)
    assert front.room.waiting.line.issued == 0


def other_counter(work: dict[str, Any]) -> None:
    """A key that was not found."""
    work["solution"]["derivedKey"] = "00" * 32


def easier(work: dict[str, Any]) -> None:
    """A challenge that the gate did not make so easy."""
    work["challenge"]["parameters"]["cost"] = 1


def longer(work: dict[str, Any]) -> None:
    """More time than was given."""
    work["challenge"]["parameters"]["data"]["expires_at"] += 1


def unsigned(work: dict[str, Any]) -> None:
    """No signature, and a key that needs none."""
    del work["challenge"]["signature"]
    del work["challenge"]["parameters"]["keySignature"]


@pytest.mark.parametrize("forge", [other_counter, easier, longer, unsigned])
async def test_edited_work_gets_nothing(
    front_with: OpenFront, forge: Callable[[dict[str, Any]], None]
) -> None:
    """Solution, terms and signature belong together."""
    front = await front_with(**WORK)
    shopper = front.shopper()
    work = json.loads(base64.b64decode(await earn(shopper, 1)))
    forge(work)
    answer = await join(shopper, 1, base64.b64encode(json.dumps(work).encode()).decode())
    assert (answer.problem, answer.document["reason"]) == ((403, "work-needed"), "wrong")
    assert refusals(front) == {"wrong": 1}


@pytest.mark.parametrize(
    "work",
    [
        "",
        "ä",
        "bm8=",
        "bnVsbA==",
        "W10=",
        "eyJjaGFsbGVuZ2UiOjF9",
        "eyJjaGFsbGVuZ2UiOiB7InBhcmFtZXRlcnMiOiBbXX19",
        base64.b64encode(b"[" * 2000).decode(),
    ],
)
async def test_nonsense_is_wrong_work(front_with: OpenFront, work: str) -> None:
    """Whatever is sent as work, the answer is the same refusal and never a fault."""
    front = await front_with(**WORK)
    answer = await join(front.shopper(), 1, work)
    assert (answer.problem, answer.document["reason"]) == ((403, "work-needed"), "wrong")


@pytest.mark.parametrize("work", [None, 1, [], {}])
async def test_work_of_another_kind_is_none(front_with: OpenFront, work: object) -> None:
    """Work is a text."""
    front = await front_with(**WORK)
    answer = await join(front.shopper(), 1, work)
    assert (answer.problem, answer.document["reason"]) == ((403, "work-needed"), "missing")


async def test_work_of_another_browser_gets_nothing(front_with: OpenFront) -> None:
    """It is bound to the entropy of its join."""
    front = await front_with(**WORK)
    shopper = front.shopper()
    answer = await join(front.shopper(), 2, await earn(shopper, 1))
    assert (answer.problem, answer.document["reason"]) == ((403, "work-needed"), "wrong")


async def test_work_of_another_room_gets_nothing(redis: Redis, store_url: str, clock: ManualClock) -> None:
    """It is bound to its room, also where both ask the same."""
    redis.ping()
    rooms = {
        ROOM: RoomSettings.model_validate(OPEN.model_dump() | WORK),
        "other": RoomSettings.model_validate(OPEN.model_dump() | WORK | {"protect": ("/other",)}),
    }
    async with open_front(store_url, clock, rooms) as front:
        shopper = front.shopper()
        answer = await join(shopper, 1, await earn(shopper, 1, "other"))
        assert (answer.problem, answer.document["reason"]) == ((403, "work-needed"), "wrong")
        assert (await join(shopper, 1, await earn(shopper, 1, "other"), "other")).status == 201


async def test_work_of_another_account_gets_nothing(front_with: OpenFront) -> None:
    """In a room with identities one work is one person's, and whoever is not signed in is sent to sign in."""
    front = await front_with(identity=True, **WORK)
    anna, ben = front.shopper("anna"), front.shopper("ben")
    work = await earn(anna, 1)
    answer = await join(ben, 1, work)
    assert (answer.problem, answer.document["reason"]) == ((403, "work-needed"), "wrong")
    assert (await join(anna, 1, work)).status == 201
    assert (await front.shopper().get(f"{BASE}/challenge?for={'ab' * 32}")).status == 401


async def test_work_that_is_sent_again_gets_the_same_ticket(front_with: OpenFront) -> None:
    """Spent once: any number of times, by whomever, at once or later, until it expires; and then nothing."""
    front = await front_with(**WORK)
    work = await earn(front.shopper(), 1)
    at_once = await asyncio.gather(*(join(front.shopper(), 1, work) for _ in range(20)))
    assert sorted(each.status for each in at_once) == [200] * 19 + [201]
    await front.later(GOOD_FOR_MS - 1)
    late = await join(front.shopper(), 1, work)
    assert {each.document["token"] for each in [*at_once, late]} == {late.document["token"]}
    await front.later(1)
    answer = await join(front.shopper(), 1, work)
    assert (answer.problem, answer.document["reason"]) == ((403, "work-needed"), "expired")
    assert front.room.waiting.line.issued == 1


def test_work_expires_before_its_join_is_forgotten() -> None:
    """What makes the promise above hold at any time: the first join comes after the challenge."""
    assert GOOD_FOR_MS < RETRY_MS


async def test_a_spent_ticket_does_not_stand_for_work(front_with: OpenFront) -> None:
    """Else whoever leaves the line could join again and again for the work of one join."""
    front = await front_with(**WORK)
    shopper = front.shopper()
    await join(shopper, 1, await earn(shopper, 1))
    token = shopper.cookies[ticket_cookie(ROOM)]
    assert (await shopper.send("DELETE", f"{BASE}/ticket")).status == 204
    shopper.cookies[ticket_cookie(ROOM)] = token
    assert (await shopper.join(2)).problem == (403, "work-needed")


async def test_nobody_goes_straight_in_past_the_work(front_with: OpenFront) -> None:
    """While nobody waits, too, a browser is sent to the waiting page."""
    front = await front_with(**WORK)
    await front.later(250)
    answer = await front.shopper().browse("/sale")
    assert (answer.status, answer.headers["Location"]) == (303, f"{BASE}?next=%2Fsale")
    assert front.shop.asked == []


@pytest.mark.parametrize("wanted", ["", "?for=", "?for=12", f"?for={'A' * 64}", f"?for={'0' * 65}"])
async def test_a_challenge_is_for_one_join(front_with: OpenFront, wanted: str) -> None:
    """Which one must be said."""
    front = await front_with(**WORK)
    assert (await front.shopper().get(f"{BASE}/challenge{wanted}")).problem == (400, "bad-request")


@pytest.mark.parametrize("friction", [{}, {"joins_per_minute": 60}])
async def test_a_room_that_asks_for_no_work_has_none(front_with: OpenFront, friction: dict[str, Any]) -> None:
    """Its page has no worker, its policy allows none, and a join needs nothing."""
    front = await front_with(friction=friction)
    shopper = front.shopper()
    assert (await shopper.get(f"{BASE}/challenge?for={'0' * 64}")).problem == (404, "not-found")
    page = await shopper.get(BASE, UNPACKED)
    assert "worker-src" not in page.headers["Content-Security-Policy"]
    assert "worker.js" not in page.text
    assert (await shopper.join(1)).status == 201


async def test_the_work_is_not_part_of_the_first_view(front_with: OpenFront) -> None:
    """The page of a room that asks for it starts a worker, which is a file of its own and may ask only this site."""
    front = await front_with(**WORK)
    page = await front.shopper().get(BASE, UNPACKED)
    assert "; worker-src 'self';" in page.headers["Content-Security-Policy"]
    assert "PBKDF2" not in page.text
    worker = await front.shopper().get(f"{BASE}/worker.js")
    assert worker.headers["Content-Security-Policy"] == "default-src 'none'; connect-src 'self'"
    assert worker.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "PBKDF2" in worker.text


# ---- Without JavaScript


def heading(page: Answer) -> str:
    """What the page says first."""
    found = re.search(r"<h1>(.*?)</h1>", page.text)
    assert page.status == 200
    assert found
    return unescape(found[1])


def refresh_s(page: Answer) -> int:
    """After how many seconds the page loads itself again."""
    found = re.search(r'http-equiv="refresh" content="(\d+); ', page.text)
    assert found
    return int(found[1])


async def press(shopper: Shopper, **headers: str) -> str:
    """Send the form that joins; where it leads to."""
    answer = await shopper.send("POST", f"{BASE}/ticket", HTML | headers, data={"next": "/sale/x"})
    assert answer.status == 303
    return answer.headers["Location"]


async def test_without_javascript_a_wait_stands_for_the_work(front_with: OpenFront) -> None:
    """The page says how long, refreshes itself when the time is up, and then has joined."""
    front = await front_with(capacity=1, **WORK)
    shopper = front.shopper()
    back = await press(shopper)
    assert back == f"{PLAIN}&next=%2Fsale%2Fx"
    page = await shopper.browse(back)
    assert (heading(page), refresh_s(page)) == ("Almost in line", 30)
    assert "00:30" in page.text
    assert front.room.waiting.line.issued == 0
    await front.later(WAIT_MS - 1)
    assert heading(await shopper.browse(back)) == "Almost in line"
    await front.later(1)
    joined = await shopper.browse(back)
    assert (joined.status, joined.headers["Location"]) == (303, back)
    assert ticket_cookie(ROOM) in shopper.cookies
    assert stamp_cookie(ROOM) not in shopper.cookies
    await front.later(250)
    assert front.room.waiting.line.issued == 1


async def test_who_presses_twice_waits_no_longer(front_with: OpenFront) -> None:
    """The stamp that a browser has is the one that it gets."""
    front = await front_with(**WORK)
    shopper = front.shopper()
    await press(shopper)
    stamp = shopper.cookies[stamp_cookie(ROOM)]
    await front.later(5_000)
    await press(shopper)
    assert shopper.cookies[stamp_cookie(ROOM)] == stamp
    assert refresh_s(await shopper.browse(PLAIN)) == 25


async def test_a_network_waits_one_after_another(front_with: OpenFront) -> None:
    """So programs gain nothing by many forms at once; when too many wait, the page says so."""
    front = await front_with(**WORK)
    waits = []
    for _ in range(10):
        shopper = front.shopper()
        await press(shopper)
        waits.append(refresh_s(await shopper.browse(PLAIN)))
    assert waits == [30 * each for each in range(1, 11)]
    one_more = front.shopper()
    back = await press(one_more)
    assert back == f"{PLAIN}&hurdle=crowded&next=%2Fsale%2Fx"
    page = await one_more.browse(back)
    assert heading(page) == "Please wait a moment"
    assert "try again in a moment" in page.text
    await front.later(WAIT_MS)
    assert await press(one_more) == f"{PLAIN}&next=%2Fsale%2Fx"
    assert refusals(front) == {"too_many": 1}


async def test_a_stamp_is_spent_once(front_with: OpenFront) -> None:
    """Copied to other browsers it gets them the same ticket, and nothing when its time is over."""
    front = await front_with(capacity=1, **WORK)
    shopper = front.shopper()
    await press(shopper)
    stamp = {stamp_cookie(ROOM): shopper.cookies[stamp_cookie(ROOM)]}
    await front.later(WAIT_MS)
    tickets = set()
    for ms in (0, GOOD_FOR_MS - 1):
        await front.later(ms)
        for _ in range(2):
            copy = front.shopper(**stamp)
            await copy.browse(PLAIN)
            tickets.add(copy.cookies[ticket_cookie(ROOM)])
    assert len(tickets) == 1
    await front.later(1)
    copy = front.shopper(**stamp)
    assert heading(await copy.browse(PLAIN)) == "Join the line"
    assert front.room.waiting.line.issued == 1


async def test_a_stamp_is_its_accounts_own(front_with: OpenFront) -> None:
    """In a room with identities nobody else can use it; without one it lies there for nothing."""
    front = await front_with(identity=True, **WORK)
    anna = front.shopper("anna")
    await press(anna)
    stamp = {stamp_cookie(ROOM): anna.cookies[stamp_cookie(ROOM)]}
    await front.later(WAIT_MS)
    for shopper in (front.shopper("ben", **stamp), front.shopper(**stamp)):
        assert heading(await shopper.browse(PLAIN)) == "Join the line"
    assert await press(front.shopper()) == f"{PLAIN}&hurdle=signin&next=%2Fsale%2Fx"
    assert (await anna.browse(PLAIN)).status == 303


async def test_a_stamp_is_no_ticket_before_the_line_opens(front_with: OpenFront) -> None:
    """Whoever waited too early sees the countdown, and no endless way back and forth."""
    front = await front_with(opens_in=3600, **WORK)
    shopper = front.shopper()
    await press(shopper)
    await front.later(WAIT_MS)
    assert heading(await shopper.browse(PLAIN)) == "The line opens soon"


# ---- Limits


@asynccontextmanager
async def limited(
    store_url: str, clock: ManualClock, trusted: list[str], **friction: float
) -> AsyncIterator[Front]:
    """A front whose room lets one network join twice at once, and once a minute."""
    asked = {"joins_per_minute": 1, "joins_burst": 2} | friction
    rooms = {ROOM: RoomSettings.model_validate(OPEN.model_dump() | {"friction": asked})}
    async with open_front(store_url, clock, rooms, trusted_proxies=trusted) as front:
        yield front


@pytest.mark.usefixtures("redis")
async def test_a_network_joins_as_often_as_the_room_allows(store_url: str, clock: ManualClock) -> None:
    """Then it is told when to come again, and coming then is enough."""
    async with limited(store_url, clock, []) as front:
        assert [(await front.shopper().join(each)).status for each in range(2)] == [201, 201]
        answer = await front.shopper().join(2)
        assert answer.problem == (429, "too-many-joins")
        assert (answer.headers["Retry-After"], answer.document["retry_after_s"]) == ("60", 60)
        assert "from your network" in answer.document["detail"]
        clock.advance(59_000)
        assert (await front.shopper().join(2)).headers["Retry-After"] == "1"
        clock.advance(1_000)
        assert (await front.shopper().join(2)).status == 201
        assert refusals(front) == {"too_many": 2}


@pytest.mark.usefixtures("redis")
@pytest.mark.parametrize(
    "forged", ["198.51.100.{}", "10.0.0.{}", "2001:db8:{}::1", "127.0.0.{}, 203.0.113.{}"]
)
async def test_a_forged_address_gets_nothing(store_url: str, clock: ManualClock, forged: str) -> None:
    """Without a trusted proxy nobody's word counts for where a join comes from."""
    async with limited(store_url, clock, []) as front:
        answers = [
            await join(front.shopper(), each, None, **{"X-Forwarded-For": forged.format(each, each)})
            for each in range(4)
        ]
        assert [each.status for each in answers] == [201, 201, 429, 429]


@pytest.mark.usefixtures("redis")
async def test_behind_a_trusted_proxy_its_word_counts(store_url: str, clock: ManualClock) -> None:
    """The last entry is the proxy's own; whatever a shopper wrote before it changes nothing."""
    async with limited(store_url, clock, ["127.0.0.0/8"]) as front:

        async def come(each: int, chain: str) -> int:
            return (await join(front.shopper(), each, None, **{"X-Forwarded-For": chain})).status

        chains = [f"203.0.113.{each}, 198.51.100.7" for each in range(4)]
        assert [await come(each, chain) for each, chain in enumerate(chains)] == [201, 201, 429, 429]
        assert await come(4, "198.51.100.7, 203.0.113.9") == 201
        homes = [f"2001:db8:0:ff{each:02x}::{each}" for each in range(1, 5)]
        assert [await come(5 + each, chain) for each, chain in enumerate(homes)] == [201, 201, 429, 429]


@pytest.mark.usefixtures("redis")
async def test_forms_and_waits_count_as_well(store_url: str, clock: ManualClock) -> None:
    """The way without JavaScript is no way around; who is refused there joins when the page asks again."""
    async with limited(store_url, clock, []) as front:
        for _ in range(2):
            assert await press(front.shopper()) == f"{PLAIN}&next=%2Fsale%2Fx"
        assert "hurdle=crowded" in await press(front.shopper())
    async with limited(store_url, clock, [], work=3, joins_burst=1, wait_seconds=1) as front:
        first, second = front.shopper(), front.shopper()
        await press(first)
        await press(second)
        clock.advance(2_000)
        assert (await first.browse(PLAIN)).status == 303
        page = await second.browse(PLAIN)
        assert (heading(page), refresh_s(page)) == ("Please wait a moment", 15)
        clock.advance(60_000)
        assert (await second.browse(PLAIN)).status == 303
        assert ticket_cookie(ROOM) in second.cookies
