"""A room's phase is a pure function, the same in Python and in the scripts, and moves as its tables say."""

from dataclasses import replace
from importlib import resources
from itertools import pairwise, product
from pathlib import Path

import pytest
from redis import Redis

from tests.conftest import NOON, Sale, reachable
from waitroom.errors import Conflict
from waitroom.fields import settings_fields
from waitroom.keys import Keys
from waitroom.room import HOLDS, JOINABLE, MOVES, Hold, Line, Pace, Phase, Schedule, phase

PACE = Pace(60, 5, 1, 60_000, 60_000)
SEED = b"\x07" * 32
SCHEDULES = [
    Schedule(NOON),
    Schedule(NOON, closes_at=NOON + 9_000),
    Schedule(NOON, NOON - 9_000, NOON - 3_000),
    Schedule(NOON, NOON - 9_000, NOON - 3_000, closes_at=NOON + 9_000),
]
LINES = [
    Line(seed=seed, paused_at=paused_at, trouble_since=trouble, sold_out=sold_out, closed=closed)
    for seed, paused_at, trouble, sold_out, closed in product(
        (None, SEED), (None, NOON), (None, NOON), (False, True), (False, True)
    )
]
TIMES = [NOON + at + off for at in (-9_000, -3_000, 0, 9_000) for off in (-1, 0, 1)]

PRESALE = SCHEDULES[3]
IN_PHASE = {
    Phase.SCHEDULED: (NOON - 9_001, Line()),
    Phase.PRESALE: (NOON - 9_000, Line()),
    Phase.DRAWING: (NOON - 3_000, Line()),
    Phase.OPEN: (NOON, Line(seed=SEED)),
    Phase.PAUSED: (NOON, Line(seed=SEED, paused_at=NOON)),
    Phase.SOLD_OUT: (NOON, Line(seed=SEED, sold_out=True)),
    Phase.CLOSED: (NOON, Line(seed=SEED, closed=True)),
}


def write(redis: Redis, schedule: Schedule, line: Line) -> Keys:
    """A room in the store with this schedule and these flags."""
    keys = Keys("mi-launch")
    fields = settings_fields(schedule, PACE)
    redis.delete(keys.settings, keys.line)
    redis.hset(keys.settings, mapping=dict(zip(fields[::2], fields[1::2], strict=True)))
    flags: dict[str, bytes | int | None] = {
        "secret": b"",
        "commit": b"",
        "seed": line.seed,
        "paused_at": line.paused_at,
        "trouble_since": line.trouble_since,
        "sold_out": 1 if line.sold_out else None,
        "closed": 1 if line.closed else None,
    }
    redis.hset(keys.line, mapping={name: value for name, value in flags.items() if value is not None})
    return keys


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_scripts_see_the_same_phase_at_every_edge(redis: Redis, schedule: Schedule) -> None:
    """For all flags, one millisecond before, at and after every time of the schedule."""
    prelude = resources.files("waitroom").joinpath("lua", "room.lua").read_text()
    lua_phase = redis.register_script(prelude + "\nreturn phase()")
    for line in LINES:
        keys = write(redis, schedule, line)
        for now in TIMES:
            in_lua = lua_phase([keys.line, keys.settings], [now])
            assert in_lua.decode() == phase(schedule, line, now), (line, now - NOON)


def test_the_phases_follow_their_schedule() -> None:
    """A sale with a presale, as time goes by and the draw is made."""
    drawn = Line(seed=SEED)
    assert [phase(PRESALE, line, NOON + at) for at, line in (
        (-9_001, Line()),
        (-9_000, Line()),
        (-3_000, Line()),
        (-1, drawn),
        (0, Line()),
        (0, drawn),
        (9_000, drawn),
    )] == [
        Phase.SCHEDULED,
        Phase.PRESALE,
        Phase.DRAWING,
        Phase.DRAWING,
        Phase.DRAWING,
        Phase.OPEN,
        Phase.CLOSED,
    ]  # fmt: skip


def test_a_room_without_a_presale_opens_straight_away() -> None:
    """First come, first served."""
    schedule = SCHEDULES[0]
    assert not schedule.has_presale
    assert [phase(schedule, Line(), NOON + at) for at in (-1, 0)] == [Phase.SCHEDULED, Phase.OPEN]


@pytest.mark.parametrize("before", Phase)
@pytest.mark.parametrize("action", Hold)
async def test_a_hold_is_legal_in_the_phases_of_its_table_and_in_no_other(
    sale: Sale, before: Phase, action: Hold
) -> None:
    """The script's answer is the table's; what is illegal changes nothing and is not on record."""
    now, line = IN_PHASE[before]
    waiting = await sale.gate()
    keys = write(sale.redis, PRESALE, line)
    sale.clock.at_ms = now
    await waiting.tick()
    assert waiting.phase() is before
    old, flags = sale.redis.hgetall(keys.line), waiting.line
    if before in HOLDS[action]:
        after = await waiting.hold(action, by="olga", reason="because")
        assert after is waiting.phase()
        assert sale.redis.xlen(keys.audit) == 1
    else:
        with pytest.raises(Conflict, match=f"^{action} is not possible while the room is {before}$"):
            await waiting.hold(action, by="olga")
        assert sale.redis.hgetall(keys.line) == old
        assert waiting.line == flags
        assert sale.redis.xlen(keys.audit) == 0


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("action", [None, *Hold])
def test_every_change_of_phase_is_a_move_of_the_table(schedule: Schedule, action: Hold | None) -> None:
    """As time goes by with every set of flags, and as each hold that is legal is done at any time."""
    for line in LINES:
        lines = [in_time(line, now) for now in TIMES]
        phases = [phase(schedule, each, now) for each, now in zip(lines, TIMES, strict=True)]
        for before, after in pairwise(phases if not line.sold_out else []):
            assert after in {before, Phase.CLOSED, *MOVES[before]}, (before, after, line)
        for before, each, now in zip(phases, lines, TIMES, strict=True):
            if action and before in HOLDS[action]:
                after = phase(schedule, held(each, action), now)
                moves = Phase if action is Hold.REOPEN else {before, Phase.CLOSED, *MOVES[before]}
                assert after in moves, (before, after, action)


def in_time(line: Line, now: int) -> Line:
    """Nothing is drawn before the presale has ended, and nothing sold out before the sale is open."""
    seed = line.seed if now >= NOON - 3_000 else None
    return replace(line, seed=seed, sold_out=line.sold_out and now >= NOON and seed is not None)


def held(line: Line, action: Hold) -> Line:
    """The flags after a hold."""
    match action:
        case Hold.PAUSE:
            return replace(line, paused_at=NOON)
        case Hold.RESUME:
            return replace(line, paused_at=None)
        case Hold.SOLD_OUT:
            return replace(line, sold_out=True)
        case Hold.RESTOCK:
            return replace(line, sold_out=False)
        case Hold.CLOSE | Hold.REOPEN:
            return replace(line, closed=action is Hold.CLOSE)
        case Hold.TRUST | Hold.WATCH:
            return replace(line, trusted=action is Hold.TRUST)


def test_the_tables_know_every_phase() -> None:
    """All can be reached from the start, none but a reopening leads out of closed, and tickets are issued in four."""
    assert set(MOVES) == reachable(Phase.SCHEDULED) == set(Phase)
    assert reachable(Phase.CLOSED) == {Phase.CLOSED}
    assert set(HOLDS) == set(Hold)
    assert {Phase.PRESALE, Phase.DRAWING, Phase.OPEN, Phase.PAUSED} == JOINABLE


def test_a_room_slides_when_a_visit_may_be_longer_than_its_first_length() -> None:
    """Else activity extends nothing."""
    assert not PACE.sliding
    assert replace(PACE, visit_longest_ms=60_001).sliding


def test_nobody_waits_once_all_issued_places_are_called() -> None:
    """A counter that was healed ahead of the other makes no negative crowd."""
    assert [Line(issued=issued, called=5).waiting for issued in (4, 5, 7)] == [0, 0, 2]


def test_the_readme_draws_the_table_of_moves() -> None:
    """The diagram of phases is the table of legal moves, line by line."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    moves = [f"    {a} --> {b}: {why}" for a, moves in MOVES.items() for b, why in moves.items()]
    diagram = readme.split("```mermaid\n")[1].split("```")[0].splitlines()
    assert [line for line in diagram if ": " in line and "note" not in line] == moves
