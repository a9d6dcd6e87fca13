"""The model of a line, verb by verb: it keeps the invariants that the scripts are held to."""

from waitroom.model import RETRY_MS, AtDoor, Entered, Model, Refused
from waitroom.pace import CALL_EVERY_MS, KNOCK_GRACE_MS, LEAD_MS
from waitroom.room import Hold, Pace

NOW = 1_432_033_200_000
VISIT = 60_000
MORE = 10_000


def line(
    tickets: int = 20, *, rate: float = 60, capacity: int | None = None, burst: int = 5, longest: int = VISIT
) -> Model:
    """A line that so many have joined, its first places called."""
    model = Model(Pace(rate, capacity, burst, VISIT, longest))
    for number in range(tickets):
        assert model.join(NOW, number.to_bytes(32)) == number
    if tickets:
        model.call(NOW)
    return model


# ---- Taking a ticket


def test_a_repeated_join_gets_the_same_number() -> None:
    """I9: the same entropy is the same ticket for two minutes; I1: the next one is the next number."""
    model = line(0)
    assert [model.join(NOW, bytes([each])) for each in (1, 2, 1, 2, 3)] == [0, 1, 0, 1, 2]
    assert model.join(NOW + RETRY_MS - 1, b"\x01") == 0
    assert model.join(NOW + RETRY_MS, b"\x01") == 3


def test_one_identity_holds_one_ticket_until_its_visit_is_over() -> None:
    """Another entropy, or a visit under way, makes no second ticket; after the visit it is a new one."""
    model = line(0)
    assert model.join(NOW, b"a", "mi") == model.join(NOW, b"b", "mi") == 0
    model.call(NOW)
    assert isinstance(model.knock(NOW, 0, 0, "mi"), Entered)
    assert model.join(NOW + VISIT - 1, b"c", "mi") == 0
    assert model.join(NOW + VISIT, b"c", "mi") == 1
    model.leave(None, 1)
    assert model.join(NOW + VISIT, b"c", "mi") == 2


def test_a_ticket_that_comes_with_the_request_is_kept() -> None:
    """A browser that holds a ticket gets no other until it is spent; an identity keeps one that the store lost."""
    model = line(2)
    assert model.join(NOW, b"new", held=1) == 1
    model.leave(1, 1)
    assert model.join(NOW, b"new", held=1) == 2
    assert model.join(NOW, b"new", held=1) == 2
    assert model.join(NOW, b"new", held=2) == 2
    assert model.join(NOW, b"x", "mi", held=0) == model.join(NOW, b"y", "mi") == 0


def test_a_ticket_is_told_again_when_no_more_are_issued() -> None:
    """After the sale a repeated join still names the ticket that is held."""
    model = line(1)
    model.hold(NOW, Hold.SOLD_OUT)
    assert model.join(NOW, b"x", held=0) == 0
    assert model.join(NOW, b"x") == Refused("sold_out")


def test_a_room_may_let_everyone_in_just_once() -> None:
    """There an identity whose visit is over gets no new ticket."""
    model = Model(Pace(60, None, 5, VISIT, VISIT), once=True)
    assert model.join(NOW, b"a", "mi") == 0
    model.call(NOW)
    model.knock(NOW, 0, 0, "mi")
    assert model.join(NOW + VISIT, b"b", "mi") == Refused("once")


def test_a_ticket_that_its_identity_no_longer_holds_is_spent() -> None:
    """One identity enters with the one ticket it holds."""
    model = line(1)
    assert model.join(NOW, b"a", "mi") == 1
    model.call(NOW, forced=True)
    assert model.knock(NOW, 0, 0, "mi") == Refused("spent")
    assert isinstance(model.knock(NOW, 1, 1, "mi"), Entered)


def test_before_the_draw_a_ticket_that_was_given_back_is_good_again() -> None:
    """Leaving and joining again makes no second lot; once the list is fixed, it is a new number."""
    model = Model(Pace(60, None, 5, VISIT, VISIT), presale=True)
    assert model.join(NOW, b"a", "mi") == 0
    model.leave(None, 0)
    assert model.join(NOW, b"b", "mi") == 0
    assert model.spent == set()
    model.leave(None, 0)
    model.freeze()
    assert model.join(NOW, b"c", "mi") == 1
    assert model.spent == {0}


def test_a_closed_room_goes_on_where_it_was_once_it_is_reopened() -> None:
    """Nobody joins or enters meanwhile; the next number is the next number."""
    model = line(1)
    model.hold(NOW, Hold.CLOSE)
    assert model.join(NOW, b"next") == Refused("closed")
    model.hold(NOW, Hold.REOPEN)
    assert model.join(NOW, b"next") == 1
    assert isinstance(model.knock(NOW, 0, 0), Entered)


def test_the_presale_is_frozen_once() -> None:
    """Its size stays what it was when the first gate asked."""
    model = line(3)
    assert model.freeze() == 3
    model.join(NOW, b"later")
    assert model.freeze() == 3


def test_counters_heal_and_never_fall() -> None:
    """I1 and I3: after a loss they rise to the highest that was seen."""
    model = line(3)
    model.heal(10, 5)
    model.heal(1, 1)
    assert (model.issued, model.called) == (10, 5)
    assert model.join(NOW, b"next") == 10


# ---- Calling


def test_calls_keep_their_distance() -> None:
    """A call right after another does nothing."""
    model = line()
    model.coming.clear()
    assert model.called == 7
    assert model.call(NOW + CALL_EVERY_MS - 1) == 0
    assert model.call(NOW + CALL_EVERY_MS) == 7


def test_who_comes_counts_as_shown_and_who_does_not_as_lapsed() -> None:
    """The show rate follows the crowd; who comes late is still let in."""
    model = line()
    model.knock(NOW + 1000, 0, 0)
    assert (model.shown, model.lapsed) == (1, 0)
    model.call(NOW + LEAD_MS)
    assert model.lapsed == 6
    assert model.show_rate < 0.3
    assert isinstance(model.knock(NOW + LEAD_MS, 3, 3), Entered)
    assert model.shown < 1


def test_the_head_of_the_line_vanishes_and_costs_nobody_anything() -> None:
    """I8: a place that came to the door and went is gone two seconds after its next knock was due."""
    model = line(rate=60, capacity=1, burst=1)
    model.called = 3
    model.knock(NOW, 0, 0)
    waiting = model.knock(NOW, 1, 1)
    assert waiting == AtDoor(0, NOW + 1000)
    model.knock(NOW, 2, 2)
    model.leave(0)
    assert model.knock(NOW + 1000 + KNOCK_GRACE_MS - 1, 2, 2) == AtDoor(1, NOW + 3999)
    assert model.knock(NOW + 1000 + KNOCK_GRACE_MS, 2, 2) == Entered(NOW + 3000, NOW + 3000 + VISIT)


def test_nobody_is_called_while_the_last_units_are_in_baskets() -> None:
    """Left none but some held: wait; some left again: go on."""
    model = line()
    model.coming.clear()
    model.units(0, 2)
    assert model.call(NOW + 1000) == 0
    model.units(1, 1)
    assert model.call(NOW + 1000, forced=True) == 7


def test_the_last_unit_sold_is_the_end() -> None:
    """Nothing left and nothing held is sold out, until a restock."""
    model = line()
    model.units(0, 0)
    assert model.call(NOW + 1000) == 0
    assert model.knock(NOW, 0, 0) == model.join(NOW, b"late") == Refused("sold_out")
    model.hold(NOW, Hold.RESTOCK)
    assert isinstance(model.knock(NOW, 0, 0), Entered)
    model.coming.clear()
    assert model.call(NOW + 2000) > 0


# ---- The door


def test_a_repeated_knock_gets_the_same_pass() -> None:
    """I9: while the visit lasts the answer is the same, paused or not; then the ticket is spent."""
    model = line()
    first = model.knock(NOW, 0, 0)
    assert first == Entered(NOW, NOW + VISIT)
    model.hold(NOW, Hold.PAUSE)
    assert model.knock(NOW + VISIT - 1, 0, 0) == first
    model.hold(NOW, Hold.RESUME)
    assert model.knock(NOW + VISIT, 0, 0) == Refused("spent")


def test_who_is_not_called_is_told_how_many_come_first() -> None:
    """A place past the called ones hears its distance."""
    assert line().knock(NOW, 9, 9) == Refused("not_called", 2)


def test_the_burst_goes_in_at_once_and_then_one_by_one() -> None:
    """Five enter back to back, the sixth is booked a second ahead, the one after it waits."""
    model = line()
    answers = [model.knock(NOW, place, place) for place in range(5)]
    assert answers == [Entered(NOW, NOW + VISIT)] * 5
    assert model.knock(NOW, 6, 6) == Entered(NOW + 1000, NOW + 1000 + VISIT)
    assert model.knock(NOW, 5, 5) == Entered(NOW + 2000, NOW + 2000 + VISIT)
    model.call(NOW + CALL_EVERY_MS)
    assert model.knock(NOW, 7, 7) == AtDoor(0, NOW + 2000)
    assert model.knock(NOW, 8, 8) == AtDoor(1, NOW + 3000)


def test_of_those_at_the_door_the_lowest_goes_first() -> None:
    """I7: one spot, and a later place that knocks as it gets free still stands behind."""
    model = line(capacity=1)
    model.called = 4
    model.knock(NOW, 0, 0)
    assert model.knock(NOW, 2, 2) == AtDoor(0, NOW + 1000)
    assert model.knock(NOW, 1, 1) == AtDoor(0, NOW + 1000)
    model.leave(0)
    assert model.knock(NOW + 500, 3, 3) == AtDoor(2, NOW + 20_500)
    assert model.knock(NOW + 500, 2, 2) == AtDoor(1, NOW + 1500)
    assert isinstance(model.knock(NOW + 1000, 1, 1), Entered)


# ---- Going


def test_activity_extends_a_visit_up_to_its_longest() -> None:
    """A sliding visit lasts as long as it is used, within its pass; what has ended stays ended."""
    model = line(longest=100_000)
    model.knock(NOW, 0, 0)
    assert model.touch(NOW + 30_000, 0)
    assert model.visits[0].ends_at == NOW + 90_000
    assert model.touch(NOW + 80_000, 0)
    assert model.visits[0].ends_at == NOW + 100_000
    assert not model.touch(NOW + 100_000, 0)
    assert not model.touch(NOW, 1)


def test_a_freed_spot_is_counted_once() -> None:
    """Whether left or run out, each visit counts once into the pace at which visits end."""
    model = line(capacity=5)
    model.knock(NOW, 0, 0)
    model.knock(NOW, 1, 1)
    assert model.leave(0)
    assert not model.leave(0)
    assert model.leaving == 1
    model.call(NOW + VISIT)
    assert model.leaving == 1 / 4 + 1
    assert not model.leave(1)


def test_a_ticket_given_back_leaves_the_door() -> None:
    """Whoever leaves the line is no longer before anyone."""
    model = line(capacity=0)
    model.called = 2
    model.knock(NOW, 0, 0)
    assert model.knock(NOW, 1, 1) == AtDoor(1, NOW + 20_000)
    model.leave(0, 0)
    assert model.knock(NOW, 0, 0) == Refused("spent")
    assert model.knock(NOW, 1, 1) == AtDoor(0, NOW + 1000)


# ---- The operator


def test_a_pause_keeps_the_door_and_gives_everyone_time_to_return() -> None:
    """During a pause nobody lapses; after it, those at the door and on the way have the lead time."""
    model = line(capacity=0)
    model.called = 2
    model.knock(NOW, 1, 1)
    model.hold(NOW, Hold.PAUSE)
    model.hold(NOW + 1, Hold.PAUSE)
    assert model.paused_at == NOW
    assert model.knock(NOW, 0, 0) == Refused("paused")
    assert model.call(NOW + 600_000) == 0
    assert (model.door, set(model.coming)) == ([1], {0})
    later = NOW + 600_000
    model.hold(later, Hold.RESUME)
    model.hold(later, Hold.RESUME)
    model.call(later + LEAD_MS - 1)
    assert (model.door, 0 in model.coming) == ([1], True)
    model.call(later + LEAD_MS, forced=True)
    assert (model.door, 0 in model.coming) == ([], False)


def test_trouble_halts_the_door_and_extends_visits_until_it_runs_out() -> None:
    """As long as it is told again within five seconds; a trouble that was not told in time is another one."""
    model = line()
    assert model.knock(NOW, 0, 0) == Entered(NOW, NOW + VISIT)
    for at in (0, 4_000):
        model.trouble(NOW + at)
        assert model.knock(NOW + at, 1, 1) == Refused("paused")
    assert model.knock(NOW + 8_000, 0, 0) == Entered(NOW + 8_000, NOW + 8_000 + VISIT)
    model.trouble(NOW + 10_000)
    assert (model.trouble_since, model.trouble_ms) == (NOW + 10_000, 9_000)
    model.call(NOW + 15_000)
    assert (model.trouble_since, model.trouble_ms) == (None, 14_000)
    assert model.knock(NOW + 15_000, 1, 1) == Entered(NOW + 15_000, NOW + 15_000 + VISIT)
    assert model.knock(NOW + 13_999 + VISIT, 0, 0) == Entered(NOW + 14_000, NOW + 14_000 + VISIT)
    assert model.knock(NOW + 14_000 + VISIT, 0, 0) == Refused("spent")


def test_trouble_is_not_heard_while_the_operator_trusts_the_shop() -> None:
    """Until they take it back."""
    model = line()
    model.hold(NOW, Hold.TRUST)
    model.trouble(NOW)
    assert model.trouble_since is None
    model.hold(NOW, Hold.WATCH)
    model.trouble(NOW)
    assert model.trouble_since == NOW


def test_a_closed_room_stays_closed() -> None:
    """No restock brings it back."""
    model = line()
    for action in (Hold.SOLD_OUT, Hold.CLOSE, Hold.RESTOCK):
        model.hold(NOW, action)
    assert model.join(NOW, b"late") == model.knock(NOW, 0, 0) == Refused("closed")


def test_a_turn_is_put_off_only_while_it_lasts() -> None:
    """Not before it has come, nor from the shop, nor once it is spent; put off, it counts as one that did not come."""
    model = line(10, capacity=1)
    called = model.called
    assert model.defer(NOW, called, called) == Refused("not_called")
    model.knock(NOW, 0, 0)
    assert model.defer(NOW, 0, 0) == Refused("in_shop")
    assert [model.defer(NOW, 1, 1) for _ in range(2)] == [True, False]
    assert model.lapsed == 1
    assert model.defer(NOW + VISIT, 0, 0) == Refused("spent")


def test_more_time_counts_from_the_pass() -> None:
    """So the same request gets the same answer, within what is given and while the visit lasts."""
    model = Model(Pace(60, None, 5, VISIT, VISIT, MORE, 2))
    model.join(NOW, b"a")
    model.call(NOW)
    model.knock(NOW, 0, 0)
    end = NOW + VISIT
    assert [model.extend(NOW, 0, end) for _ in range(2)] == [end + MORE] * 2
    assert model.extend(NOW, 0, end + MORE) == end + 2 * MORE
    assert model.extend(NOW, 0, end) == end + 2 * MORE
    assert model.extend(NOW, 0, end + 2 * MORE) == Refused("no_more")
    assert model.extend(end + 2 * MORE, 0, end) == model.extend(NOW, 1, end) == Refused("over")


def test_a_place_goes_to_the_first_device_that_claims_it() -> None:
    """The one before gets nothing more; a place in the shop or spent goes to nobody; what was lost is believed."""
    model = line(10)
    assert model.claim(NOW, 1, 1, b"phone") == model.claim(NOW, 1, 1, b"phone") == 1
    assert model.claim(NOW, 1, 1, b"tablet") == Refused("used")
    moved = Refused("moved")
    assert model.knock(NOW, 1, 1) == model.defer(NOW, 1, 1) == model.leave(1, 1) == moved
    assert isinstance(model.knock(NOW, 1, 1, generation=1), Entered)
    assert model.claim(NOW, 1, 1, b"tablet", generation=1) == Refused("in_shop")
    assert model.claim(NOW + VISIT, 1, 1, b"tablet", generation=1) == Refused("spent")
    assert model.claim(NOW, 2, None, b"phone", generation=7) == 8
    assert model.claim(NOW, 3, 3, b"phone", known=9) == Refused("used")
