"""The verdict: a sale without fault passes, and every kind of fault breaks the promise that it belongs to."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom import beacon, draw
from waitroom.model import AtDoor as Waits
from waitroom.model import Entered, Model
from waitroom.rehearsal.door_checks import Span, most_at_once, most_in_window
from waitroom.rehearsal.findings import Finding
from waitroom.rehearsal.story import (
    AtDoor,
    Bought,
    End,
    Evidence,
    Held,
    LetIn,
    Limits,
    Money,
    Repeat,
    Sight,
    Story,
    TooEarly,
)
from waitroom.rehearsal.verdict import judge, percentile, waits
from waitroom.room import Pace

NOON = 1_432_033_200_000
SIZE, LATE = 4, 2
SECRET = hashlib.sha256(b"secret").digest()
LEAVES = [draw.leaf(bytes([number]) * 16, bytes(32)) for number in range(SIZE)]
COMMIT = draw.commit_document("mi", draw.commitment(SECRET), NOON - 60_000, NOON - 5_000)
ROOT = draw.merkle_root(LEAVES)
SEED = draw.seed(COMMIT, SECRET, ROOT, SIZE)
PLACES = [*map(int, draw.places(SIZE, SEED)), *range(SIZE, SIZE + LATE)]


def _document(now: int, called: int, phase: str = "open", issued: int = SIZE + LATE) -> dict[str, Any]:
    return {"now": now, "phase": phase, "issued": issued, "called": called, "opens_at": NOON}


def _shopper(number: int) -> Story:
    """One who enters two seconds after the one before, buys a unit, and leaves three seconds later."""
    place = PLACES[number]
    enter_at = NOON + 1000 + 2000 * place
    held = Held(number, bytes([number]) * 16, draw.leaf(bytes([number]) * 16, bytes(32)))
    return Story(
        name=number,
        account=f"account {number}",
        held=held,
        joined_at=NOON - 10_000,
        places=[place],
        knocks=[
            AtDoor(place, enter_at - 900, enter_at - 890, 0, enter_at - 5),
            LetIn(place, enter_at - 4, enter_at - 1, enter_at, enter_at + 600_000),
        ],
        stayed_until=enter_at + 3000,
        repeats=[Repeat("join", ("number 1", "number 1"))],
        bought=[Bought(f"order {number}", "band", 1)],
        money=[Money(f"order {number}", 4399, (4399,)), Money(f"cancelled {number}", 0, ())],
        known_orders={f"order {number}"},
        listed_orders={f"order {number}"},
        stock=[{"band": SIZE + LATE}],
        end=End.BOUGHT,
    )


@pytest.fixture
def sale() -> Evidence:
    """What six shoppers saw of a sale without fault: four from the presale, two later."""
    stories = [_shopper(number) for number in range(SIZE + LATE)]
    published = {
        "commitment": draw.commitment(SECRET).hex(),
        "commit": COMMIT.decode(),
        "secret": SECRET.hex(),
        "root": ROOT.hex(),
        "seed": SEED.hex(),
        "size": SIZE,
    }
    evidence = Evidence(
        Limits(rate=30, capacity=2, burst=1),
        stories=stories,
        sights=[
            Sight(NOON + 10, _document(NOON, 0)),
            Sight(NOON + 110, _document(NOON + 100, SIZE)),
            Sight(NOON + 60_010, _document(NOON + 60_000, SIZE + LATE, "sold_out")),
        ],
        draw_before=published | {"seed": None},
        draw=published,
        roll=b"".join(LEAVES),
        log=[
            {"kind": "found", "at": str(NOON - 60_000)},
            {"kind": "call", "at": str(NOON + 50), "from": "0", "to": str(SIZE - 1)},
            {"kind": "call", "at": str(NOON + 4000), "from": str(SIZE), "to": str(SIZE + LATE - 1)},
        ],
    )
    evidence.answers["GET state", 200, ""] = 3
    return evidence


def _broken(evidence: Evidence) -> dict[str, Finding]:
    return {finding.promise: finding for finding in judge(evidence) if not finding.holds}


def test_a_sale_without_fault_passes(sale: Evidence) -> None:
    """Every promise is kept, and none is so because there was nothing to look at."""
    assert not _broken(sale)
    seen = {finding.promise: finding.seen for finding in judge(sale)}
    assert seen["numbers unique and dense"] == "6 of 6 issued"
    assert seen["the draw replays from its seed"] == "4 tickets, 4 own leaves on the roll"
    assert seen["visits at once"] == "2 of 2"
    assert seen["entries in any 10 s"] == "5 of 6"
    assert seen["units sold"] == "6 of 6"
    assert seen["repeats answered alike"] == "join 6"


def _holder(evidence: Evidence, place: int) -> Story:
    return next(story for story in evidence.stories if story.places == [place])


def _enters(story: Story, enter_at: int) -> None:
    """Let a shopper enter at another time, after nothing but one knock."""
    place = story.places[0]
    story.knocks = [LetIn(place, enter_at - 4, enter_at - 1, enter_at, enter_at + 600_000)]
    story.stayed_until = enter_at + 100


def _a_number_twice(sale: Evidence) -> None:
    sale.stories[5].held = replace(sale.stories[4].held, leaf=bytes(32)) if sale.stories[4].held else None
    sale.stories[5].places, sale.stories[5].knocks = [], []


def _a_number_lost(sale: Evidence) -> None:
    sale.sights[-1] = Sight(NOON + 60_010, _document(NOON + 60_000, 6, "sold_out", issued=7))


def _a_number_of_nobody(sale: Evidence) -> None:
    sale.first_number = 1


def _another_leaf(sale: Evidence) -> None:
    held = sale.stories[0].held
    assert held
    sale.stories[0].held = replace(held, leaf=bytes(32))


def _publish(**parts: object) -> Callable[[Evidence], None]:
    def publish(sale: Evidence) -> None:
        sale.draw = {**(sale.draw or {}), **parts}

    return publish


def _a_shorter_roll(sale: Evidence) -> None:
    sale.roll = b"".join(LEAVES[:-1])


def _no_roll(sale: Evidence) -> None:
    sale.roll = None


def _another_commitment_before(sale: Evidence) -> None:
    sale.draw_before = {"commit": COMMIT.decode(), "commitment": "00"}


def _a_place_that_moves(sale: Evidence) -> None:
    sale.stories[0].places.insert(0, 17)


def _two_swap_places(sale: Evidence) -> None:
    one, other = sale.stories[0], sale.stories[1]
    for story in one, other:
        story.knocks = []
    one.places, other.places = other.places, one.places


def _a_place_twice(sale: Evidence) -> None:
    sale.stories[0].places, sale.stories[0].knocks = [5], []


def _called_falls(sale: Evidence) -> None:
    sale.sights.append(Sight(NOON + 50_010, _document(NOON + 50_000, SIZE - 1)))


def _issued_falls(sale: Evidence) -> None:
    sale.sights.append(Sight(NOON + 50_010, _document(NOON + 50_000, SIZE + LATE, issued=9)))


def _a_gap_in_the_record(sale: Evidence) -> None:
    del sale.log[1]
    sale.log[0] = {"kind": "call", "at": str(NOON), "from": "0", "to": "1"}


def _calls_backwards(sale: Evidence) -> None:
    sale.log[1], sale.log[2] = sale.log[2], sale.log[1]


def _enters_before_the_call(sale: Evidence) -> None:
    sale.log[2] = {**sale.log[2], "at": str(NOON + 30_000)}


def _enters_uncalled(sale: Evidence) -> None:
    del sale.log[2]


def _refused_after_the_call(sale: Evidence) -> None:
    story = _holder(sale, 2)
    story.knocks.append(TooEarly(2, NOON + 200, NOON + 210, 1))


def _passes_a_lower_place(sale: Evidence) -> None:
    first, second = _holder(sale, 0), _holder(sale, 1)
    _enters(_holder(sale, 2), NOON + 1000)
    _enters(second, NOON + 2000)
    first.knocks = [
        AtDoor(0, NOON + 1000, NOON + 1010, 0, NOON + 2500),
        LetIn(0, NOON + 5000, NOON + 5001, NOON + 5002, NOON + 600_000),
    ]
    sale.limits = Limits(rate=60, capacity=40, burst=1)


def _takes_the_last_spot_of_a_lower_place(sale: Evidence) -> None:
    _passes_a_lower_place(sale)
    sale.limits = Limits(rate=60_000, capacity=1, burst=5)


def _enters_before_its_slot(sale: Evidence) -> None:
    _enters(_holder(sale, 1), NOON + 2500)


def _a_place_enters_twice(sale: Evidence) -> None:
    story = _holder(sale, 5)
    story.knocks.append(LetIn(5, NOON + 80_000, NOON + 80_001, NOON + 80_002, NOON + 700_000))


def _enters_with_anothers_place(sale: Evidence) -> None:
    story = _holder(sale, 5)
    story.knocks = [replace(knock, place=6) for knock in story.knocks]


def _a_pass_that_opens_nothing(sale: Evidence) -> None:
    sale.stories[3].turned_away.append("429 waiting-room")


def _too_many_at_once(sale: Evidence) -> None:
    _holder(sale, 0).stayed_until = NOON + 60_000


def _stays_until_the_visit_ends(sale: Evidence) -> None:
    _holder(sale, 0).stayed_until = None


def _too_fast(sale: Evidence) -> None:
    for place in range(SIZE + LATE):
        _enters(_holder(sale, place), NOON + 6000 + 900 * place)


def _sells_too_many(sale: Evidence) -> None:
    sale.stories[0].bought = [Bought("order 0", "band", 2)]


def _sells_what_is_not_there(sale: Evidence) -> None:
    sale.stories[0].bought = [Bought("order 0", "phone", 1)]


def _stock_that_grows(sale: Evidence) -> None:
    sale.stories[0].stock.append({"band": SIZE + LATE + 1})


def _sold_out_too_soon(sale: Evidence) -> None:
    sale.stories[0].bought = []


def _not_sold_out_in_time(sale: Evidence) -> None:
    sale.sights[-1] = Sight(NOON + 60_010, _document(NOON + 60_000, SIZE + LATE))


def _a_greedy_buyer(sale: Evidence) -> None:
    sale.stories[0].bought.append(Bought("order 7", "band", 2))


def _a_payment_that_pays_nothing(sale: Evidence) -> None:
    sale.stories[0].money.append(Money("order 7", 0, (4399,)))


def _charged_twice(sale: Evidence) -> None:
    sale.stories[0].money = [Money("order 0", 4399, (4399, 4399))]


def _repeats_differ(sale: Evidence) -> None:
    sale.stories[0].repeats.append(Repeat("knock", ("enter_at 1", "enter_at 2")))


def _an_order_too_many(sale: Evidence) -> None:
    sale.stories[0].listed_orders = {"order 0", "order 9"}


def _a_fault(sale: Evidence) -> None:
    sale.answers["POST pass", 500, "fault"] = 1


def _a_shopper_falls_over(sale: Evidence) -> None:
    sale.stories[0].end, sale.stories[0].trouble = End.FELL, "KeyError('number')"


def _one_is_not_told(sale: Evidence) -> None:
    sale.stories[0].knocks, sale.stories[0].end = [], End.STAYED


def _nobody_enters(sale: Evidence) -> None:
    for story in sale.stories:
        story.knocks = []


DRAW, FAST = "the draw replays from its seed", ["entries in any 1 s", "entries in any 10 s"]
DOOR, ONE = "the lowest at the door goes first", "one visit for one place"


@pytest.mark.parametrize(
    "fault, promises, told",
    [
        (_a_number_twice, ["numbers unique and dense"], "number 4 was given to 2 shoppers"),
        (_a_number_lost, ["numbers unique and dense"], "1 number went to nobody here, such as 6"),
        (_a_number_of_nobody, ["numbers unique and dense"], "number 0 is not among the 1 … 5"),
        (_another_leaf, [DRAW], "shopper 0: the leaf of number 0 is not on the roll"),
        (_publish(secret="00" * 32), [DRAW], "the secret is not the one that was committed to"),
        (_publish(commit=COMMIT.decode().replace("local", "lucky")), [DRAW], "the seed does not follow"),
        (_publish(root="00" * 32), [DRAW], "does not have the root"),
        (_publish(commitment="00" * 32), [DRAW], "the commit document names another commitment"),
        (_publish(seed="00" * 32), [DRAW, "places a permutation, and fixed"], "the seed does not follow"),
        (_publish(seed=None), [DRAW, "places a permutation, and fixed"], "ended without a draw"),
        (_a_shorter_roll, [DRAW], "the roll of 3 leaves does not have the root that was published for 4"),
        (_no_roll, [DRAW], "ended without a draw"),
        (_another_commitment_before, [DRAW], "the commitment was changed after the presale began"),
        (_a_place_that_moves, ["places a permutation, and fixed"], "the place changed, from 17 to"),
        (_two_swap_places, ["places a permutation, and fixed"], "shopper 0: number 0 got place"),
        (_a_place_twice, ["places a permutation, and fixed"], "place 5 was given to 2 shoppers"),
        (_called_falls, ["called only grows"], "called fell from 4 to 3"),
        (_issued_falls, ["called only grows"], "issued fell from 9 to 6"),
        (_a_gap_in_the_record, ["called only grows", "nobody before their call"], "calls 4 … 5 where 2 was"),
        (_calls_backwards, ["called only grows"], "the record calls 4 … 5 where 0 was next"),
        (_enters_before_the_call, ["nobody before their call"], "entered at 1432033209000, called at"),
        (_enters_uncalled, ["nobody before their call"], "called never"),
        (_refused_after_the_call, ["nobody before their call"], "still refused as too early"),
        (_passes_a_lower_place, [DOOR], "past 1 lower places, 1000 ms before its slot"),
        (_takes_the_last_spot_of_a_lower_place, [DOOR, "visits at once"], "while 0 of 1 spots were taken"),
        (_enters_before_its_slot, [DOOR, *FAST], "500 ms before its slot"),
        (_a_place_enters_twice, [ONE], "place 5 entered at"),
        (_enters_with_anothers_place, [ONE, "nobody before their call"], "with place 6, not 5"),
        (_a_pass_that_opens_nothing, [ONE], "turned away: 429 waiting-room"),
        (_too_many_at_once, ["visits at once", DOOR], "3 visits at once at"),
        (_stays_until_the_visit_ends, ["visits at once", DOOR], "3 visits at once at"),
        (_too_fast, [*FAST, DOOR], "2 entries in the 1 s from 1432033206000, 1 allowed"),
        (_sells_too_many, ["units sold"], "band: 7 units sold, of 6"),
        (_sells_what_is_not_there, ["units sold"], "phone: 1 units sold, of 0"),
        (_stock_that_grows, ["units sold"], "band: the stock was shown as 6, 7 units"),
        (_sold_out_too_soon, ["units sold"], "sold out with 1 units not sold"),
        (_not_sold_out_in_time, ["units sold"], "all units are sold, and the room is still open"),
        (_a_greedy_buyer, ["most units of a product for one buyer", "units sold"], "bought 3 of band"),
        (_a_payment_that_pays_nothing, ["paid orders charged once"], "order order 7: 0 due, 4399 charged"),
        (_charged_twice, ["paid orders charged once"], "4399 due, 4399 and 4399 charged"),
        (_repeats_differ, ["repeats answered alike"], "shopper 0, knock: enter_at 1 | enter_at 2"),
        (_an_order_too_many, ["repeats answered alike"], "the shop lists 2 orders, 1 were answered"),
        (_a_fault, ["no faults"], "POST pass was answered 500 fault, 1 times"),
        (_a_shopper_falls_over, ["no faults"], "shopper 0 fell over: KeyError('number')"),
        (_one_is_not_told, ["everyone was told"], "1 shoppers who wait were not told"),
        (_nobody_enters, ["everyone was told"], "nobody was let in"),
    ],
)
def test_a_fault_breaks_its_promise(
    sale: Evidence, fault: Callable[[Evidence], None], promises: list[str], told: str
) -> None:
    """The promise it belongs to, none that it has nothing to do with, and a line that says what happened."""
    fault(sale)
    broken = _broken(sale)
    assert set(broken) <= {*promises}, broken
    assert promises[0] in broken
    lines = [line for finding in broken.values() for line in finding.violations]
    assert any(told in line for line in lines), lines


def _by_beacon(sale: Evidence) -> str:
    """Draw the sale by a real round of drand instead; the round's signature."""
    [real, *_] = json.loads((Path(__file__).parents[1] / "vectors/drand.json").read_text())["beacons"]
    chosen = draw.DrandRound(beacon.CHAIN, real["round"])
    commit = draw.commit_document("mi", draw.commitment(SECRET), NOON - 60_000, NOON - 5_000, drand=chosen)
    random = beacon.randomness(real["round"], bytes.fromhex(real["signature"]))
    seed = draw.seed(commit, SECRET, ROOT, SIZE, random)
    _publish(commit=commit.decode(), seed=seed.hex(), signature=real["signature"])(sale)
    sale.draw_before = sale.draw
    return str(real["signature"])


def test_a_draw_by_beacon_replays_from_its_signature(sale: Evidence) -> None:
    """The beacon's randomness goes into the seed, once the signature is seen to be drand's."""
    signature = _by_beacon(sale)
    assert DRAW not in _broken(sale)
    _publish(signature=signature[:-1] + ("0" if signature[-1] != "0" else "1"))(sale)
    assert _broken(sale)[DRAW].violations[0].startswith("the signature is not the beacon's of round")


def test_a_room_without_a_draw_is_judged_by_numbers(sale: Evidence) -> None:
    """First come, first served: the place is the number, and there is nothing to replay."""
    sale.draw = sale.draw_before = sale.roll = None
    for story in sale.stories:
        assert story.held
        story.held = replace(story.held, number=story.places[0])
    assert not _broken(sale)


def test_where_nothing_limits_the_shop_any_number_may_be_in_it(sale: Evidence) -> None:
    """A room without a capacity shows the most visits at once, and breaks nothing with them."""
    sale.limits = replace(sale.limits, capacity=None)
    _too_many_at_once(sale)
    assert not _broken(sale)


def test_a_repeated_knock_is_one_visit(sale: Evidence) -> None:
    """Who is answered twice with the same entry has entered once."""
    story = sale.stories[0]
    entry = story.knocks[-1]
    story.knocks.append(replace(entry, sent_at=entry.sent_at + 1, received_at=entry.received_at + 1))
    assert len(story.entries) == 1
    assert not _broken(sale)


def test_waits_are_measured_from_what_was_seen(sale: Evidence) -> None:
    """From joining, from the opening, from the record's call to the first knock, and from there to the entry."""
    sale.stories[1].attentive = False
    sale.stories[2].knocks = []
    found = waits(sale)
    place = PLACES[0]
    assert found["joined → in"][0] == 11 + 2 * place
    assert found["opened → in"][0] == 1 + 2 * place
    assert found["knocked → in"] == [0.9] * 5
    assert len(found["called → noticed"]) == 4
    assert sale.stories[2].place is not None


@given(st.lists(st.integers(0, 100), min_size=1), st.sampled_from([0.5, 0.95, 1]))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[int], share: float) -> None:
    """It is one of the values, enough are at or below it, and no smaller one would do."""
    found = percentile(values, share)
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)
    assert percentile([], share) == 0


@given(st.lists(st.integers(0, 50)), st.integers(1, 20))
def test_the_fullest_window_is_found(instants: list[int], width: int) -> None:
    """As counting in every window would find it."""
    counts = [sum(at <= each < at + width for each in instants) for at in range(-20, 52)]
    assert most_in_window(instants, width)[0] == max(counts)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30))))
def test_the_fullest_instant_is_found(stays: Iterable[tuple[int, int]]) -> None:
    """As counting at every instant would find it."""
    spans = [Span(place, at, at + length) for place, (at, length) in enumerate(stays)]
    counts = [sum(span.begins_at <= at < span.ends_at for span in spans) for at in range(62)]
    assert most_at_once(spans)[0] == max(counts)


@given(
    rate=st.integers(10, 600),
    capacity=st.integers(1, 6) | st.none(),
    burst=st.integers(1, 5),
    steps=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3000), st.booleans()), max_size=60),
)
def test_a_door_that_keeps_the_rules_breaks_no_promise(
    rate: int, capacity: int | None, burst: int, steps: list[tuple[int, int, bool]]
) -> None:
    """Whoever knocks or leaves whenever: what the model of the line allows, the checks of the door allow."""
    model = Model(Pace(rate, capacity, burst, visit_ms=20_000, visit_longest_ms=20_000))
    evidence = Evidence(Limits(rate, capacity, burst), sights=[Sight(NOON, _document(NOON, 8, issued=8))])
    evidence.stories = [Story(name, places=[name]) for name in range(8)]
    now = NOON
    for place in range(8):
        model.join(now, bytes([place]))
    while model.called < 8:
        model.call(now)
        now += 10_000
    for place, passed, leaves in steps:
        now += passed + 1
        story = evidence.stories[place]
        if story.entries and leaves and story.stayed_until is None:
            story.stayed_until = now
            model.leave(now, place)
        elif not story.entries:
            match model.knock(now, place, place):
                case Entered(enter_at, expires_at):
                    story.knocks.append(LetIn(place, now, now, enter_at, expires_at))
                case Waits(before, again_at):
                    story.knocks.append(AtDoor(place, now, now, before, again_at))
    door = {DOOR, ONE, "visits at once", *FAST, "entries in any 60 s"}
    assert not door & set(_broken(evidence))
