"""The waiting page without JavaScript: made for one shopper, refreshes itself, and asks by plain forms.

The forms post ``next`` to the same addresses that the script uses: ``…/ticket`` to join, with ``do=leave`` to
leave the line, ``do=defer`` to let others by, ``do=move`` and ``do=claim`` to hand a place over and to take it, and
``…/pass`` to knock. A page at the door refreshes to an address with ``knock=1``, at which the gate knocks again for
the shopper; a link that hands a place over is this page's address with the token in ``move``.
"""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex
from typing import Literal
from urllib.parse import urlencode

from babel import Locale
from babel.dates import format_date, format_time, get_datetime_format
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

from gate.look import Look, our_look
from waitroom.answers import AtDoor, Entered, Position
from waitroom.friction import FrictionSettings
from waitroom.languages import ENGLISH, Reader
from waitroom.room import Line, Phase, Room, phase

Unclaimed = Literal["link-used", "in-shop", "place-spent", "other-account", "expired"]
"""Why a link hands no place over: another device was first, the place is in the shop or has been, it belongs to another
account, or the link is too old or broken."""

Hurdle = Literal["signin", "spent", "once", "left", "later", "moved", "unable", "crowded"] | Unclaimed
"""What keeps a shopper from waiting: not signed in, the visit over, no second visit, having left or put it off, the
place on another device, a browser that cannot do the work asked for, many others in the same network; or a link."""

_LINE = frozenset({"waiting", "unknown", "held", "paused", "trouble"})
_SAFE = _LINE | {"presale", "drawing", "placed", "behind"}
_OVER = frozenset({"sold_out", "closed", "once"})
_SLIM, _GOOD = 0.05, 0.95
_NEAR_S, _FAR_S, _STILL_S = 5, 15, 60
_ANY_FRICTION = FrictionSettings(work=1)
"""What texts such a page may need; unlike those of the page with scripts, they weigh nothing if they do not show."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A link that hands a place over, its picture as an SVG, and until when it is good (epoch ms)."""

    address: str
    picture: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a plain page depends on.

    Attributes:
        next_path: where in the shop this shopper wanted to go; a path on this site, already checked.
        position: where their ticket stands; None without a ticket.
        wait: the forecast, in seconds.
        chance: how likely it is, from 0 to 1, that a unit is left at this shopper's turn; None: not known.
        answer: what a knock was just answered with.
        offer: the link that hands this shopper's place to another device, where they have asked for one.
        handed: the token of such a link, where they come by one. instead: taking its place costs them their own.
        location: where a shopper who is let in goes.
        joins_at: when this shopper joins, who waits instead of the work that the room asks for (epoch ms).
        base: the room's address, if it is not the usual one.
    """

    room: Room
    line: Line
    now_ms: int
    next_path: str = "/"
    position: Position | None = None
    wait: tuple[float, float] | None = None
    chance: float | None = None
    answer: AtDoor | Entered | None = None
    offer: Offer | None = None
    handed: str = ""
    instead: bool = False
    location: str = "/"
    hurdle: Hurdle | None = None
    store_away: bool = False
    joins_at: int | None = None
    reader: Reader = ENGLISH
    base: str = ""
    look: Look = field(default_factory=our_look)

    @property
    def ahead(self) -> int | None:
        """How many places are called before this one."""
        return None if self.position is None else self.position.ahead

    @property
    def start(self) -> str:
        """The room's address."""
        return self.base or f"/waitroom/{self.room.name}"

    @property
    def address(self) -> str:
        """This page's own address."""
        knock = {"knock": "1"} if isinstance(self.answer, AtDoor) else {}
        move = {"move": self.handed} if self.handed else {}
        return f"{self.start}?{urlencode({'plain': '1', **knock, **move, 'next': self.next_path})}"


def render_plain(scene: Scene) -> str:
    """The page for this shopper at this moment."""
    face = _face(scene)
    language, look, refresh = scene.reader.language, scene.look, _refresh(face, scene)
    people = _people(face, scene)
    template = look.environment(language).get_template("queue/plain.html")
    return template.render(
        scene=scene,
        room=scene.room.name,
        title=look.title(language, scene.room.title),
        own=look.own(language),
        here=f"{scene.address}&",
        friction=_ANY_FRICTION,
        face=face,
        refresh=refresh,
        values={
            "time": _time(scene.offer.expires_at if scene.offer else _next_change(scene), scene),
            "place": "" if scene.position is None else _number((scene.position.place or 0) + 1, scene),
            "entropy": token_hex(32) if scene.handed else "",
            "wait": _wait(face, scene),
            "chance": _tenth(scene),
            "seconds": _unit(refresh[0], "second", scene),
        },
        hope=_hope(face, scene),
        people=people,
        countdown=_countdown(face, scene),
        facts=_facts(face, scene),
        safe=face in _SAFE,
        over=face in _OVER,
        next=people is None and face in {"waiting", "unknown"},
    )


def _face(scene: Scene) -> str:
    """The face, by the same order as faceOf in face.js."""
    now = phase(scene.room.schedule, scene.line, scene.now_ms)
    if scene.offer or isinstance(scene.answer, Entered):
        return "move" if scene.offer else "entering"
    if now in {Phase.SOLD_OUT, Phase.CLOSED}:
        return now
    if hurdle := "claim" if scene.handed and scene.hurdle != "signin" else scene.hurdle:
        return hurdle
    if now is Phase.SCHEDULED:
        return now
    if scene.position is None or scene.joins_at is not None:
        return "join" if scene.joins_at is None else "holding"
    return _face_in_line(now, scene, scene.position)


def _face_in_line(now: Phase, scene: Scene, position: Position) -> str:  # noqa: PLR0911 - one return a face
    if now is Phase.PAUSED and scene.line.paused_at is None:
        return "trouble"
    if now in {Phase.PRESALE, Phase.PAUSED}:
        return now
    if position.place is None:
        return "drawing"
    if now is Phase.DRAWING:
        return "placed" if position.number < (scene.line.presale_size or 0) else "behind"
    if position.called:
        return "door" if scene.answer else "called"
    if scene.line.units_left == 0 and scene.line.units_held:
        return "held"
    return "waiting" if scene.wait else "unknown"


def _refresh(face: str, scene: Scene) -> tuple[int, str]:
    """After how many seconds the page loads which address."""
    if isinstance(scene.answer, Entered):
        return max(0, math.ceil((scene.answer.enter_at - scene.now_ms) / 1000)), scene.location
    if isinstance(scene.answer, AtDoor):
        return max(1, math.ceil((scene.answer.knock_again_at - scene.now_ms) / 1000)), scene.address
    if scene.offer or face == "holding":
        ends_at = scene.offer.expires_at if scene.offer else scene.joins_at or 0
        return max(1, math.ceil((ends_at - scene.now_ms) / 1000)), scene.address
    if face == "crowded":
        return _FAR_S, scene.address
    if face not in {*_SAFE, "called", "scheduled"}:
        return _STILL_S, scene.address
    near = face in {"drawing", "called"} or (scene.ahead is not None and scene.ahead < 30)
    return _NEAR_S if near else _FAR_S, scene.address


def _next_change(scene: Scene) -> int:
    """When the phase changes next, as far as the schedule says (epoch ms)."""
    schedule = scene.room.schedule
    changes = (schedule.presale_opens_at, schedule.presale_closes_at)
    return next((at for at in changes if at is not None and at > scene.now_ms), schedule.opens_at)


def _time(at_ms: int, scene: Scene) -> str:
    """A day and a time of day; the reader's own zone is not known here."""
    when, locale = datetime.fromtimestamp(at_ms / 1000, UTC), scene.reader.locale
    day, time = format_date(when, "full", locale), format_time(when, "short", locale=locale)
    both = str(get_datetime_format("medium", locale)).replace("'", "")
    return f"{both.replace('{1}', day).replace('{0}', time)} UTC"


def _countdown(face: str, scene: Scene) -> str:
    """The time left until the next change, as 04:12 or 1:04:12, on the faces that wait for one."""
    until = scene.joins_at if scene.joins_at is not None and face == "holding" else _next_change(scene)
    left = math.ceil((until - scene.now_ms) / 1000)
    if face not in {"scheduled", "presale", "holding"} or left <= 0:
        return ""
    hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
    return (f"{hours}:" if hours else "") + f"{minutes:02}:{seconds:02}"


def _wait(face: str, scene: Scene) -> str:
    """The wait in words, as face.js has it; empty where there is none and when it is under a minute."""
    if face != "waiting" or scene.wait is None or scene.wait[1] < 60:
        return ""
    low, high = scene.wait
    name, size = ("minute", 60) if high < 7200 else ("hour", 3600)
    first, last = max(1, math.floor(low / size)), math.ceil(high / size)
    kept = f"{first}\u2060–\u2060" if first < last else ""  # noqa: RUF001 - a range, on one line
    return kept + _unit(last, name, scene)


def _hope(face: str, scene: Scene) -> str:
    """The text that tells how likely something is left, as face.js chooses it; empty where it is not told."""
    if face != "waiting" or scene.chance is None:
        return ""
    if scene.chance < _SLIM:
        return "chance_slim"
    return "chance" if scene.chance < _GOOD else "chance_good"


def _tenth(scene: Scene) -> str:
    """The chance in tenths, which nobody can mistake for precision."""
    tenth = min(9, max(1, math.floor((scene.chance or 0) * 10 + 0.5))) / 10
    return str(format_percent(tenth, locale=scene.reader.locale))


def _unit(number: int, name: str, scene: Scene) -> str:
    return format_unit(number, name, locale=scene.reader.locale)


def _number(value: int, scene: Scene) -> str:
    return format_decimal(value, locale=scene.reader.locale)


def _people(face: str, scene: Scene) -> tuple[str, str] | None:
    """The count that stands big on the page, before this shopper at the door or in the line, and its plural form."""
    if isinstance(scene.answer, AtDoor):
        count = scene.answer.before
    elif face in _LINE and scene.position is not None and not scene.position.called:
        count = (scene.ahead or 0) + scene.line.at_door
    else:
        count = 0
    if not count:
        return None
    return _number(count, scene), Locale.parse(scene.reader.language, sep="-").plural_form(count)


def _facts(face: str, scene: Scene) -> dict[str, str]:
    """The small facts, by the names of their labels."""
    line, position = scene.line, scene.position
    place = None if position is None or position.place is None else position.place + 1
    opens = face in {"scheduled", "presale", "drawing"}
    joined = max(line.issued, 0 if position is None else position.number + 1)  # the line may be read before
    known = {
        "place": place if face in _LINE | {"placed", "behind"} else None,
        "taking_part": (line.presale_size or joined) if face in {"presale", "drawing"} else None,
        "units": line.units_left if face in _SAFE else None,
    }
    numbers = {name: _number(value, scene) for name, value in known.items() if value is not None}
    return {**numbers, **({"opens": _time(scene.room.schedule.opens_at, scene)} if opens else {})}
