"""One simulated shopper against a gate that says what the test wants it to say, with time that costs nothing."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from altcha import Solution, create_challenge, verify_solution

from waitroom import draw
from waitroom.clock import ManualClock
from waitroom.rehearsal import work
from waitroom.rehearsal.board import Board, distance_s, next_look_s, place_of
from waitroom.rehearsal.browser import Answer, Browser, Trouble, Wire
from waitroom.rehearsal.errand import LOOKS
from waitroom.rehearsal.habits import Closes, Habits, arrival, draw_habits, pace_s
from waitroom.rehearsal.shopper import Shopper
from waitroom.rehearsal.story import AtDoor, Bought, End, LetIn, Money, Repeat, Story

NOON = 1_432_033_200_000
SEED = bytes(range(32))
PLAIN = Habits(
    arrives_at=NOON - 30_000,
    closes=Closes.NEVER,
    patience_s=5,
    away_s=0,
    gives_up=False,
    double_clicks=False,
    bad_line=False,
    units=2,
    greedy=False,
    changes_mind=False,
    card_declined=False,
    visit_s=6,
    defers_s=0,
    moves=False,
)
PAID_ID = "a" * 32
CONFIRM, BACK = f"/sandbox/card/{'b' * 32}", f"/orders/{PAID_ID}/payments/{'b' * 32}"
PAID = {
    "id": PAID_ID,
    "state": "paid",
    "total_cents": 4399,
    "lines": [{"product": "band", "quantity": 2}],
    "payments": [
        {"state": "failed", "amount_cents": 4399},
        {"state": "charged", "amount_cents": 4399},
    ],
}
HELD = {**PAID, "state": "held"}

Say = tuple[int, Mapping[str, Any]]


def _lots(seed: int) -> Random:
    """Chance that falls the same way each time."""
    return Random(seed)  # noqa: S311 - a play, no secret


class FastBoard(Board):
    """A board on which waiting moves the clock and costs no time."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.clock = clock
        self.waits: list[float] = []

    async def wait(self, seconds: float) -> None:
        """Move the clock, by a millisecond at least; then let others run."""
        self.waits.append(seconds)
        self.clock.advance(max(1, round(1000 * seconds)))
        await asyncio.sleep(0)


@dataclass
class Gate:
    """Answers each request with the next of its lines, the last one again and again; the state follows the clock."""

    clock: ManualClock
    called: int = 10
    sold_out_at: int = NOON + 3_600_000
    lines: dict[str, list[Say]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    cookies: list[str] = field(default_factory=list)
    state_trouble: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        entry = {"place": 3, "enter_at": NOON + 20_000, "expires_at": NOON + 620_000}
        self.lines |= {
            "POST /account/register": [(202, {"sign_in": "/account/sign-in"})],
            "POST /account/sign-in": [(200, {"account": "me"})],
            "POST /waitroom/mi/ticket": [(201, self.ticket())],
            "GET /waitroom/mi/ticket": [(200, self.ticket())],
            "DELETE /waitroom/mi/ticket": [(204, {})],
            "POST /waitroom/mi/pass": [(201, entry)],
            "DELETE /waitroom/mi/pass": [(204, {})],
            "GET /sale": [self.stock(free=5)],
            "POST /sale/orders": [(201, HELD)],
            f"POST /orders/{PAID_ID}/address": [(200, HELD)],
            f"POST /orders/{PAID_ID}/payments": [(201, {"confirm_at": CONFIRM, "return_to": BACK})],
            f"POST {CONFIRM}": [(200, {"return_to": BACK})],
            f"GET {BACK}": [(200, PAID)],
            f"POST /orders/{PAID_ID}/cancel": [(200, {**PAID, "state": "cancelled"})],
            "GET /orders": [(200, {"orders": [PAID]})],
        }

    @staticmethod
    def ticket(number: int = 3) -> dict[str, Any]:
        """A ticket of the presale."""
        return {"number": number, "ticket": "11" * 16, "leaf": "22" * 32, "place": None}

    @staticmethod
    def stock(free: int, held: int = 0) -> Say:
        """One product."""
        return 200, {"products": [{"id": "band", "free": free, "held": held, "sold": 1}]}

    def state(self) -> dict[str, Any]:
        """The state document at the clock's time."""
        now = self.clock.now_ms()
        phase = "presale" if now < NOON - 5000 else "drawing" if now < NOON else "open"
        return {
            "now": now,
            "phase": "sold_out" if now >= self.sold_out_at else phase,
            "joinable": True,
            "issued": 20,
            "called": self.called if phase == "open" else 0,
            "presale_opens_at": NOON - 60_000,
            "presale_closes_at": NOON - 5000,
            "opens_at": NOON,
            "entering_per_minute": 0,
            "sustained_per_minute": 60,
            "rate": 60,
            "show_rate": 1,
            "draw": {"size": 4, "seed": SEED.hex()} if phase == "open" else {"size": None, "seed": None},
            "poll": {"near_s": 2, "far_s": 20},
        }

    async def answer(self, request: web.Request) -> web.Response:
        """Any request."""
        asked = f"{request.method} {request.path}"
        self.asked[asked] += 1
        self.cookies.append(request.headers.get("Cookie", ""))
        if request.path.endswith("/state"):
            return self._state(request)
        body = await request.read()
        self.bodies[asked].append(json.loads(body) if body else None)
        lines = self.lines[asked]
        status, document = lines.pop(0) if len(lines) > 1 else lines[0]
        response = web.json_response(document, status=status)
        response.set_cookie("seen", str(self.asked[asked]))
        if request.method == "DELETE":
            response.del_cookie("seen")
        return response

    def _state(self, request: web.Request) -> web.Response:
        if self.state_trouble:
            return web.Response(status=self.state_trouble.pop())
        etag = f'"{self.clock.now_ms() // 1000}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        return web.json_response(self.state(), headers={"ETag": etag})


@dataclass
class Stage:
    """One shopper, their gate, and what both have at hand."""

    gate: Gate
    board: FastBoard
    wire: Wire
    story: Story = field(default_factory=lambda: Story(7))

    async def play(self, **habits: Any) -> Story:  # noqa: ANN401 - fields of Habits
        """Let a shopper with these habits live their day."""
        chance = _lots(5)
        shopper = Shopper(
            self.story,
            replace(PLAIN, **habits),
            Browser(self.wire, chance),
            self.board,
            chance=chance,
            registering=asyncio.Semaphore(1),
            working=asyncio.Semaphore(1),
        )
        await shopper.live("me@rehearsal.example")
        return self.story


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    """A gate half a minute before its sale opens."""
    clock = ManualClock(NOON - 30_000)
    gate = Gate(clock)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", gate.answer)
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        board = FastBoard(clock)
        yield Stage(gate, board, Wire(session, str(server.make_url("")), "mi", board, Counter(), Counter()))


async def test_a_shopper_joins_waits_enters_buys_and_goes(stage: Stage) -> None:
    """The whole day: a ticket in the presale, a place from the seed, a visit not before its time, an order, paid."""
    story = await stage.play()
    assert story.end is End.BOUGHT
    assert story.account == "me"
    assert story.held
    assert (story.held.number, story.joined_at) == (3, NOON - 30_000)
    assert story.places == [draw.shuffle(3, 4, SEED), 3]
    assert [entry.enter_at for entry in story.entries] == [NOON + 20_000]
    assert story.bought == [Bought(PAID_ID, "band", 2)]
    assert story.money == [Money(PAID_ID, 4399, (4399,))]
    assert story.known_orders == story.listed_orders == {PAID_ID}
    assert story.stock == [{"band": 6}]
    assert story.stayed_until == NOON + 26_000
    assert stage.gate.bodies["POST /sale/orders"][0]["items"] == {"band": 2}
    assert story.repeats == [Repeat("payment of a paid order", ("200 ", "200 "))]


async def test_an_unchanged_state_is_not_sent_again(stage: Stage) -> None:
    """A browser asks with the tag of the document it has, and everybody reads it once."""
    browsers = [Browser(stage.wire, _lots(1)) for _ in range(2)]
    first = await browsers[0].look()
    assert await browsers[0].look() is first
    assert await browsers[1].look() is first
    assert stage.wire.answers == {("GET state", 200, ""): 2, ("GET state", 304, ""): 1}
    assert len(stage.board.sights) == 1


async def test_cookies_are_kept_and_given_up(stage: Stage) -> None:
    """What the gate sets comes back with the next request, until it is taken back."""
    browser = Browser(stage.wire, _lots(1))
    for method in ("GET", "DELETE", "GET"):
        await browser.ask(method, "@ticket")
    assert stage.gate.cookies == ["", "seen=1", ""]


async def test_a_tab_is_closed_while_waiting(stage: Stage) -> None:
    """After a while the shopper is gone for ever, and never knocks."""
    story = await stage.play(closes=Closes.WAITING)
    assert story.end is End.CLOSED
    assert not story.knocks


async def test_a_tab_is_closed_when_called(stage: Stage) -> None:
    """The turn comes, and nobody is there."""
    story = await stage.play(closes=Closes.CALLED)
    assert story.end is End.CLOSED
    assert stage.board.now() >= NOON
    assert not story.knocks


async def test_a_tab_is_closed_at_the_door(stage: Stage) -> None:
    """One knock, and no second one."""
    door = {"place": 3, "before": 2, "knock_again_at": NOON + 9000}
    stage.gate.lines["POST /waitroom/mi/pass"] = [(202, door)]
    story = await stage.play(closes=Closes.AT_DOOR)
    assert story.end is End.CLOSED
    assert [type(knock) for knock in story.knocks] == [AtDoor]


async def test_at_the_door_the_next_knock_waits_until_it_is_asked_for(stage: Stage) -> None:
    """Not before the time that the door named, and soon after it."""
    door = {"place": 3, "before": 2, "knock_again_at": NOON + 9000}
    stage.gate.lines["POST /waitroom/mi/pass"].insert(0, (202, door))
    first, second = (await stage.play()).knocks
    assert isinstance(first, AtDoor)
    assert isinstance(second, LetIn)
    assert NOON + 9000 <= second.sent_at <= NOON + 9200


async def test_a_tab_is_closed_in_the_shop(stage: Stage) -> None:
    """The visit lasts until its time is up."""
    story = await stage.play(closes=Closes.IN_SHOP)
    assert (story.end, story.stayed_until) == (End.CLOSED, NOON + 620_000)
    assert not stage.gate.asked["GET /sale"]


async def test_one_gives_up(stage: Stage) -> None:
    """The ticket is handed back."""
    assert (await stage.play(gives_up=True)).end is End.GAVE_UP
    assert stage.gate.asked["DELETE /waitroom/mi/ticket"] == 1


async def test_one_comes_back_late(stage: Stage) -> None:
    """The browser still holds the ticket and asks where it stands; then the day goes on."""
    story = await stage.play(away_s=60)
    assert not story.attentive
    assert story.repeats[0] == Repeat("come back", ("3", "3"))
    assert story.knocks[0].sent_at > NOON + 30_000
    assert story.end is End.BOUGHT


async def test_one_lets_others_by_and_knocks_later(stage: Stage) -> None:
    """Once, and not sooner than meant; the day goes on as for everyone."""
    stage.gate.lines["POST /waitroom/mi/ticket/defer"] = [(204, {})]
    story = await stage.play(defers_s=60)
    assert not story.attentive
    assert stage.gate.asked["POST /waitroom/mi/ticket/defer"] == 1
    assert story.knocks[0].sent_at >= NOON + 60_000
    assert story.end is End.BOUGHT


async def test_one_moves_the_place_to_another_device(stage: Stage) -> None:
    """Also where an answer is lost on the way; the first device is told, the second goes on with the same number."""
    stage.gate.lines |= {
        "POST /waitroom/mi/ticket/move": [(200, {"link": "https://mi.example/waitroom/mi#move=a.link"})],
        "POST /waitroom/mi/ticket/claim": [(503, {}), (200, stage.gate.ticket())],
        "GET /waitroom/mi/ticket": [(409, {"type": "/waitroom/problems/moved"})],
    }
    story = await stage.play(moves=True)
    assert story.repeats[:2] == [Repeat("move", ("3", "3")), Repeat("old device", ("moved", "moved"))]
    assert stage.gate.asked["POST /waitroom/mi/ticket/move"] == 1
    first, second = stage.gate.bodies["POST /waitroom/mi/ticket/claim"]
    assert first == second
    assert first["move"] == "a.link"
    assert story.end is End.BOUGHT


async def test_another_device_is_signed_in_and_holds_nothing_of_the_gate(stage: Stage) -> None:
    """The shop knows the shopper on both; the ticket is in the first alone."""
    browser = Browser(stage.wire, _lots(1))
    browser._cookies = {"session": "1", "waitroom_ticket_mi": "2", "waitroom_pass_mi": "3"}
    assert browser.other_device()._cookies == {"session": "1"}


async def test_a_double_click_sends_everything_twice(stage: Stage) -> None:
    """And what comes back is kept to be compared, without what may have changed in between."""
    door = {"place": 3, "before": 2, "knock_again_at": NOON + 9000}
    stage.gate.lines["POST /waitroom/mi/pass"].insert(0, (202, door))
    stage.gate.lines["POST /sale/orders"].insert(0, (409, {"type": "/problems/limit-reached"}))
    repeats = {repeat.request: repeat.answers for repeat in (await stage.play(double_clicks=True)).repeats}
    assert repeats["join"] == (f"number 3, ticket {'11' * 16}, leaf {'22' * 32}, place None",) * 2
    assert repeats["knock"] == (f"place 3, enter_at {NOON + 20_000}, expires_at {NOON + 620_000}",)
    assert set(repeats["order"]) == {
        "409 limit-reached",
        f"id {PAID_ID}, state held, lines {HELD['lines']}",
    }
    assert stage.gate.asked["POST /waitroom/mi/ticket"] == 2


async def test_a_bad_line_sends_again_what_was_cut(stage: Stage) -> None:
    """The same body, once without an answer and once with one."""
    story = await stage.play(bad_line=True)
    assert story.end is End.BOUGHT
    cuts = {request for request, status, _ in stage.wire.answers if status == 0}
    assert cuts
    for bodies in stage.gate.bodies.values():
        assert len({json.dumps(body) for body in bodies}) == 1


async def test_a_lost_payment_is_asked_for_again(stage: Stage) -> None:
    """A repeat that is refused though the order is paid is written down as an answer that differs."""
    payment = f"POST /orders/{PAID_ID}/payments"
    stage.gate.lines[payment] = [(503, {}), (429, {"type": "/waitroom/problems/waiting-room"})]
    story = await stage.play()
    assert story.end is End.BOUGHT
    assert story.repeats == [Repeat("payment of a paid order", ("200 ", "429 waiting-room"))]


async def test_a_payment_that_is_over_is_not_agreed_to_again(stage: Stage) -> None:
    """Only the way back was lost: the shop sends the shopper there again."""
    payment = f"POST /orders/{PAID_ID}/payments"
    stage.gate.lines[payment].append((201, {"confirm_at": BACK, "return_to": BACK}))
    stage.gate.lines[f"GET {BACK}"].insert(0, (503, {}))
    assert (await stage.play()).end is End.BOUGHT
    assert stage.gate.asked[f"POST {CONFIRM}"] == 1
    assert stage.gate.bodies[payment][0] == stage.gate.bodies[payment][1]


async def test_every_other_order_is_paid_with_paypal(stage: Stage) -> None:
    """There one agrees by a button."""
    other = "b" * 32
    for path in ("address", "payments"):
        stage.gate.lines[f"POST /orders/{other}/{path}"] = stage.gate.lines[f"POST /orders/{PAID_ID}/{path}"]
    stage.gate.lines["POST /sale/orders"] = [(201, {**HELD, "id": other})]
    await stage.play()
    assert stage.gate.bodies[f"POST /orders/{other}/payments"][0]["provider"] == "paypal"
    assert stage.gate.bodies[f"POST {CONFIRM}"] == [{"answer": "agree"}]


async def test_an_order_without_an_answer_is_sent_again_as_it_was(stage: Stage) -> None:
    """With the same key, so that it stays one order."""
    stage.gate.lines["POST /sale/orders"].insert(0, (503, {}))
    await stage.play()
    first, second = stage.gate.bodies["POST /sale/orders"]
    assert first == second


async def test_a_declined_card_is_followed_by_another(stage: Stage) -> None:
    """The order is still held, and the second card pays it."""
    stage.gate.lines[f"GET {BACK}"].insert(0, (200, HELD))
    assert (await stage.play(card_declined=True)).end is End.BOUGHT
    assert len({body["card"] for body in stage.gate.bodies[f"POST {CONFIRM}"]}) == 2


async def test_one_looks_around_and_goes(stage: Stage) -> None:
    """Without an order; the spot is given back."""
    stage.gate.lines["GET /orders"] = [(200, {"orders": []})]
    story = await stage.play(units=0)
    assert (story.end, story.listed_orders) == (End.WENT_EMPTY, set())
    assert stage.gate.asked["DELETE /waitroom/mi/pass"] == 1
    assert not stage.gate.asked["POST /sale/orders"]


async def test_one_waits_for_held_units_but_not_for_ever(stage: Stage) -> None:
    """Who finds nothing free looks a few times; who finds nothing at all goes."""
    stage.gate.lines["GET /orders"] = [(200, {"orders": []})]
    stage.gate.lines["GET /sale"] = [stage.gate.stock(free=0, held=1)]
    await stage.play()
    assert stage.gate.asked["GET /sale"] == LOOKS


async def test_one_goes_when_all_is_sold(stage: Stage) -> None:
    """One look is enough."""
    stage.gate.lines["GET /orders"] = [(200, {"orders": []})]
    stage.gate.lines["GET /sale"] = [stage.gate.stock(free=0)]
    assert (await stage.play()).end is End.WENT_EMPTY
    assert stage.gate.asked["GET /sale"] == 1


async def test_one_takes_what_is_left(stage: Stage) -> None:
    """One unit where two were wanted; and where others were faster, another try."""
    stage.gate.lines["GET /sale"] = [stage.gate.stock(free=1)]
    stage.gate.lines["POST /sale/orders"].insert(0, (409, {"type": "/problems/not-enough"}))
    await stage.play()
    orders = stage.gate.bodies["POST /sale/orders"]
    assert [body["items"] for body in orders] == [{"band": 1}] * 2
    assert orders[0]["key"] != orders[1]["key"]


async def test_a_greedy_one_asks_for_more(stage: Stage) -> None:
    """A third unit of the same product; what comes of it is for the verdict to say."""
    await stage.play(greedy=True)
    assert [body["items"] for body in stage.gate.bodies["POST /sale/orders"]] == [{"band": 2}, {"band": 1}]


async def test_one_changes_their_mind(stage: Stage) -> None:
    """The first order is cancelled, another one is placed and paid."""
    assert (await stage.play(changes_mind=True)).end is End.BOUGHT
    assert stage.gate.asked[f"POST /orders/{PAID_ID}/cancel"] == 1
    assert stage.gate.asked["POST /sale/orders"] == 2


async def test_a_pass_that_opens_nothing_is_written_down(stage: Stage) -> None:
    """Unless the visit ends by itself just then."""
    stage.gate.lines["GET /sale"] = [(429, {"type": "/waitroom/problems/waiting-room"})]
    story = await stage.play()
    assert (story.end, story.turned_away) == (End.WENT_EMPTY, ["429 waiting-room"])


async def test_a_visit_that_ran_out_is_no_surprise(stage: Stage) -> None:
    """Who dawdles until the pass is over is out, and nothing is wrong with that."""
    refused: Say = (429, {"type": "/waitroom/problems/waiting-room"})
    stage.gate.lines["GET /sale"] = [stage.gate.stock(free=0, held=1), refused]
    story = await stage.play(visit_s=1300)
    assert (story.end, story.turned_away) == (End.WENT_EMPTY, [])


async def test_a_ticket_spent_unused_is_written_down(stage: Stage) -> None:
    """Nobody entered with it, so it must not be spent."""
    stage.gate.lines["POST /waitroom/mi/pass"] = [(409, {"type": "/waitroom/problems/spent"})]
    story = await stage.play()
    assert story.turned_away == ["spent, to a ticket that was never used"]


async def test_refused_knocks_are_tried_again(stage: Stage) -> None:
    """Too early, or while the door stands still: the page goes on."""
    stage.gate.lines["POST /waitroom/mi/pass"][:0] = [
        (425, {"type": "/waitroom/problems/not-called", "ahead": 2}),
        (409, {"type": "/waitroom/problems/not-open"}),
    ]
    story = await stage.play()
    assert (len(story.knocks), story.end) == (2, End.BOUGHT)


async def test_everyone_is_told_when_it_is_over(stage: Stage) -> None:
    """Who waits learns it from the state; nobody joins any more."""
    stage.gate.sold_out_at = NOON + 5000
    stage.gate.called = 0
    stage.gate.lines["POST /waitroom/mi/ticket"] = [(409, {"type": "/waitroom/problems/no-tickets"})]
    story = await stage.play()
    assert (story.end, story.held) == (End.TOLD, None)


async def test_before_the_presale_one_only_looks(stage: Stage) -> None:
    """No ticket is asked for in a phase in which none is issued."""
    stage.gate.clock.at_ms = NOON - 120_000
    state = stage.gate.state
    scheduled: Callable[[], dict[str, Any]] = lambda: {  # noqa: E731 - a stand-in
        **state(),
        **({"phase": "scheduled", "joinable": False} if stage.board.now() < NOON - 60_000 else {}),
    }
    stage.gate.state = scheduled  # type: ignore[method-assign]
    story = await stage.play(arrives_at=NOON - 120_000)
    assert story.joined_at >= NOON - 60_000


async def test_trouble_is_waited_out(stage: Stage) -> None:
    """At the registration, on the page and in the shop: later, and later still, it is tried again."""
    stage.gate.lines["POST /account/register"].insert(0, (503, {}))
    stage.gate.lines["POST /account/sign-in"].insert(0, (503, {}))
    stage.gate.lines["GET /orders"].insert(0, (502, {}))
    stage.gate.state_trouble = [503, 503]
    story = await stage.play()
    assert story.end is End.BOUGHT
    assert stage.wire.answers["POST /account/register", 503, ""] == 1
    assert stage.wire.answers["POST /account/sign-in", 503, ""] == 1
    longer = [wait for wait in stage.board.waits if 1.5 <= wait <= 5]
    assert len(longer) >= 2


async def test_a_gate_that_is_gone_is_trouble(stage: Stage) -> None:
    """The kind of it is counted, by request."""
    wire = replace(stage.wire, gate="http://127.0.0.1:1")
    browser = Browser(wire, _lots(1))
    with pytest.raises(Trouble):
        await browser.look()
    with pytest.raises(Trouble):
        await browser.ask("GET", "@ticket")
    with pytest.raises(Trouble):
        await browser.ask_twice("GET", "@ticket")
    await browser.cut("GET", "@ticket")
    assert wire.troubles == {
        "GET state: ClientConnectorError": 1,
        "GET ticket: ClientConnectorError": 3,
    }


async def test_of_a_double_click_one_answer_is_enough(stage: Stage) -> None:
    """The other one may get lost; what is no trouble of the wire is not hidden."""
    stage.gate.lines["GET /orders"] = [(503, {}), (200, {})]
    browser = Browser(stage.wire, _lots(1))
    [answer] = await browser.ask_twice("GET", "/orders")
    assert (answer.status, answer.slug) == (200, "")
    stage.gate.lines["GET /orders"] = [(200, {"no": "end"})]
    stage.wire.board.now = None  # type: ignore[assignment,method-assign]
    with pytest.raises(TypeError):
        await browser.ask_twice("GET", "/orders")


def test_a_problem_is_known_by_the_end_of_its_type() -> None:
    """And an answer that is none has no such name."""
    assert Answer(409, {"type": "/waitroom/problems/spent"}, 0, 0).slug == "spent"
    assert not Answer(201, {"type": "order"}, 0, 0).slug


def test_a_place_is_worked_out_as_on_the_page() -> None:
    """From the seed for the presale's tickets, from the number for later ones; before the draw there is none."""
    state = Gate(ManualClock(NOON)).state()
    assert [place_of(number, state) for number in range(5)] == [
        *(draw.shuffle(n, 4, SEED) for n in range(4)),
        4,
    ]
    assert place_of(3, {**state, "presale_closes_at": None}) == 3
    drawing = Gate(ManualClock(NOON - 1)).state()
    assert place_of(3, drawing) is None
    assert place_of(3, {**drawing, "phase": "presale"}) is None
    assert distance_s(None, drawing) == 0
    assert distance_s(None, {**drawing, "phase": "presale"}) == float("inf")
    assert distance_s(12, state) == 0
    assert distance_s(40, {**state, "rate": 60}) == 22


def test_the_page_looks_within_the_bounds_and_after_each_change() -> None:
    """Every two to twenty seconds, give or take, and within two seconds of the opening."""
    state = Gate(ManualClock(NOON)).state()
    chance = _lots(1)
    for distance, least, most in ((0, 1.7, 2.3), (100, 8.5, 11.5), (float("inf"), 17, 23)):
        assert all(least <= next_look_s(state, NOON + 1, distance, chance) <= most for _ in range(50))
    assert all(1 <= next_look_s(state, NOON - 1000, float("inf"), chance) <= 3 for _ in range(50))


def test_the_crowd_comes_before_during_and_after() -> None:
    """Most in the presale; in a room that is open already, soon; and the same again from the same seed."""
    state = {"opens_at": NOON, "presale_closes_at": NOON - 5000}

    def crowd(state: Mapping[str, Any], now: int) -> list[int]:
        chance = _lots(1)
        return [arrival(chance, state, now, 20) for _ in range(1000)]

    arrivals = crowd(state, NOON - 60_000)
    assert arrivals == crowd(state, NOON - 60_000)
    assert min(arrivals) >= NOON - 60_000
    assert max(arrivals) <= NOON + 20_000
    assert 600 < sum(at < NOON - 5000 for at in arrivals) < 800
    assert 50 < sum(NOON - 5000 <= at < NOON for at in arrivals) < 150
    assert min(crowd(state, NOON + 7)) >= NOON + 7
    assert min(crowd({"opens_at": NOON, "presale_closes_at": None}, NOON - 9)) < NOON


def test_habits_differ_and_follow_from_the_seed() -> None:
    """Every kind of shopper is in a crowd of a thousand; their times are measured by the room's pace."""
    crowd = [draw_habits(_lots(seed), 0, 20) for seed in range(1000)]
    assert crowd[1] == draw_habits(_lots(1), 0, 20)
    assert {habits.closes for habits in crowd} == set(Closes)
    assert {habits.units for habits in crowd} == {0, 1, 2}
    for name in (
        "away_s",
        "gives_up",
        "double_clicks",
        "bad_line",
        "greedy",
        "changes_mind",
        "card_declined",
        "defers_s",
        "moves",
    ):
        assert 0 < sum(bool(getattr(habits, name)) for habits in crowd) < 300, name
    assert (pace_s(120, 40), pace_s(1200, 10), pace_s(60, None)) == (20, 0.5, 20)


# ---- Where a room asks something before a join

WORK_NEEDED: Say = 403, {"type": "/waitroom/problems/work-needed"}
CHALLENGE = "GET /waitroom/mi/challenge"


async def test_work_is_done_where_the_room_asks_for_it(stage: Stage) -> None:
    """The challenge is for this shopper's entropy, and the next join brings what ALTCHA's solver found."""
    challenge = create_challenge("PBKDF2/SHA-256", 1, counter=3, hmac_secret="secret")
    stage.gate.lines[CHALLENGE] = [(200, challenge.to_dict())]
    stage.gate.lines["POST /waitroom/mi/ticket"].insert(0, WORK_NEEDED)
    assert (await stage.play()).end is End.BOUGHT
    first, second = stage.gate.bodies["POST /waitroom/mi/ticket"]
    assert set(first) == {"entropy"}
    assert second["entropy"] == first["entropy"]
    assert verify_solution(second["work"], "secret").verified


async def test_work_that_cannot_be_done_yet_is_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No challenge, or none that is solved in time: later, as with all trouble."""
    challenge = create_challenge("PBKDF2/SHA-256", 1, counter=0, hmac_secret="secret").to_dict()
    stage.gate.lines[CHALLENGE] = [(404, {}), (200, challenge)]
    stage.gate.lines["POST /waitroom/mi/ticket"] = [*[WORK_NEEDED] * 3, (201, stage.gate.ticket())]
    tries = iter([None, Solution(0, "00")])
    monkeypatch.setattr(work, "solve_challenge", lambda _challenge: next(tries))
    assert (await stage.play()).end is End.BOUGHT
    assert stage.gate.asked[CHALLENGE] == 3


async def test_a_crowded_network_is_waited_out(stage: Stage) -> None:
    """A join that is one too many comes again; the other of a double click may be told so and is no fault."""
    refused: Say = 429, {"type": "/waitroom/problems/too-many-joins"}
    stage.gate.lines["POST /waitroom/mi/ticket"] = [*[refused] * 3, (201, stage.gate.ticket())]
    story = await stage.play(double_clicks=True)
    assert story.end is End.BOUGHT
    assert all(len(set(repeat.answers)) <= 1 for repeat in story.repeats)
