"""A made-up sale: a moment of it for every face of the waiting page."""

from dataclasses import replace
from typing import Final

from gate.plain import Scene
from waitroom import draw
from waitroom.answers import AtDoor, Entered, Position
from waitroom.forecast import chance, flow, wait
from waitroom.room import Line, Room, Schedule

NOW: Final = 1_432_033_200_000
"""The start of the sale this is built for: 19 May 2015, 13:00 in Berlin."""
_MINUTE: Final = 60_000
_SEED: Final = bytes(range(32))
_PRESALE: Final = 1_200
_OPEN: Final = Schedule(NOW - 5 * _MINUTE, NOW - 60 * _MINUTE, NOW - 6 * _MINUTE)
_LINE: Final = Line(
    issued=4_000,
    called=300,
    presale_size=_PRESALE,
    root=bytes(32),
    seed=_SEED,
    units_left=240,
    units_held=3,
    units_taken=40,
    visits=20,
    entries=240,
    show_rate=0.8,
    called_per_minute=60,
    entering_per_minute=48,
)


def make_scenes(room: Room, reason: str = "…") -> dict[str, Scene]:
    """For each face a moment at which a shopper in this room sees it, by the face's name.

    ``reason`` is why the sale is paused.
    """
    room = replace(room, schedule=_OPEN, identity=True, sign_in=f"/preview/{room.name}/waiting")
    waiting = _told(Scene(room, _LINE, NOW, position=_later(2_000)))
    called = replace(waiting, position=_drawn(12, called=True))
    new = replace(waiting, position=None)
    joined = replace(waiting, line=replace(_LINE, presale_size=None, seed=None, called=0))
    return {
        "scheduled": _at(new, Schedule(NOW + 75 * _MINUTE, NOW + 15 * _MINUTE, NOW + 74 * _MINUTE)),
        "signin": replace(new, hurdle="signin"),
        "joining": new,
        "unable": replace(new, hurdle="unable"),
        "holding": replace(new, joins_at=NOW + 25_000),
        "crowded": replace(new, hurdle="crowded"),
        "presale": _at(_undrawn(joined), Schedule(NOW + 13 * _MINUTE, NOW - _MINUTE, NOW + 12 * _MINUTE)),
        "drawing": _undrawn(replace(joined, line=replace(joined.line, presale_size=_PRESALE))),
        "placed": _at(
            replace(waiting, position=_drawn(800), line=replace(_LINE, called=0)),
            Schedule(NOW + 2 * _MINUTE, NOW - 60 * _MINUTE, NOW - _MINUTE),
        ),
        "behind": _at(
            replace(waiting, line=replace(_LINE, called=0)),
            Schedule(NOW + 2 * _MINUTE, NOW - 60 * _MINUTE, NOW - _MINUTE),
        ),
        "waiting": waiting,
        "next": _told(replace(waiting, position=_drawn(_LINE.called)._replace(ahead=0))),
        "slim": _told(replace(waiting, line=replace(_LINE, units_left=40))),
        "unknown": replace(
            waiting, line=replace(_LINE, called_per_minute=0, entering_per_minute=0.01), wait=None
        ),
        "held": replace(waiting, line=replace(_LINE, units_left=0, units_held=2)),
        "called": called,
        "door": replace(called, answer=AtDoor(12, 2, NOW + 4_000)),
        "later": replace(called, hurdle="later"),
        "visit": replace(called, answer=Entered(12, NOW, NOW + 480_000)),
        "entering": replace(called, answer=Entered(12, NOW + 9_000, NOW + 600_000)),
        "paused": replace(waiting, line=replace(_LINE, paused_at=NOW, reason=reason)),
        "trouble": replace(waiting, line=replace(_LINE, trouble_since=NOW)),
        "sold_out": replace(waiting, line=replace(_LINE, sold_out=True, units_left=0, units_held=0)),
        "ended": replace(waiting, line=replace(_LINE, sold_out=True, reason=reason)),
        "closed": replace(waiting, line=replace(_LINE, closed=True)),
        "spent": replace(called, hurdle="spent"),
        "once": replace(new, hurdle="once"),
        "left": replace(new, hurdle="left"),
        "moved": replace(called, hurdle="moved"),
        "expired": replace(new, hurdle="expired"),
        "away": replace(waiting, store_away=True),
    }


def _at(scene: Scene, schedule: Schedule) -> Scene:
    return replace(scene, room=replace(scene.room, schedule=schedule))


def _undrawn(scene: Scene) -> Scene:
    return replace(scene, position=Position(7, None, None, called=False))


def _later(number: int) -> Position:
    return Position(number, number, number - _LINE.called, called=False)


def _drawn(place: int, *, called: bool = False) -> Position:
    number = draw.unshuffle(place, _PRESALE, _SEED)
    return Position(number, place, 0 if called else place, called=called)


def _told(scene: Scene) -> Scene:
    """With the forecasts."""
    ahead = scene.ahead or 0
    moves = flow(scene.room.pace, scene.line, NOW - _OPEN.opens_at)
    return replace(scene, wait=wait(ahead, moves), chance=chance(ahead, moves, scene.line))
