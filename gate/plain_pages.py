"""The way of a browser without JavaScript: pages made for one shopper, and plain forms that lead back to them."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlencode

from aiohttp import hdrs, web
from yarl import URL

from gate import shopper
from gate.bodies import entropy_in, read_form
from gate.friction import Friction
from gate.gate import Gate, LiveRoom, no_store
from gate.handover import make_link, picture, take_over
from gate.languages import choose, keep_choice
from gate.page import plain_headers
from gate.paths import safe_next
from gate.plain import Hurdle, Offer, Scene, Unclaimed, render_plain
from waitroom.answers import AtDoor, Entered
from waitroom.errors import (
    IdentityNeeded,
    InShop,
    LinkUsed,
    Moved,
    NotCalled,
    NotJoinable,
    NotOpen,
    OneVisitOnly,
    OtherAccount,
    Refused,
    Spent,
    StoreAway,
    TokenInvalid,
    TooManyJoins,
)
from waitroom.forecast import chance
from waitroom.tickets import Stamp, Ticket, stamp_cookie, ticket_cookie

_HURDLES: Mapping[type[Exception], Hurdle] = {
    IdentityNeeded: "signin",
    Spent: "spent",
    Moved: "moved",
    OneVisitOnly: "once",
    TooManyJoins: "crowded",
}
_UNCLAIMED: Mapping[type[Exception], Unclaimed] = {
    LinkUsed: "link-used",
    InShop: "in-shop",
    Spent: "place-spent",
    OtherAccount: "other-account",
}
_SAID = {*_HURDLES.values(), *_UNCLAIMED.values(), "left", "later", "expired"}
"""What a form that leads back to the page may have it say."""


_NO_PLACE = (IdentityNeeded, Moved, OneVisitOnly, NotJoinable, StoreAway, TooManyJoins)
"""Why a join may be in vain; those without a hurdle show in the room's phase."""


class PlainPages:
    """The plain page of one room, and its forms."""

    def __init__(self, gate: Gate, room: LiveRoom) -> None:
        self._gate = gate
        self._room = room
        self._look = gate.looks[room.name]

    async def page(self, request: web.Request) -> web.Response:
        """The page as it is for this shopper now; with ``knock=1`` it knocks for them first."""
        wanted = request.query.get("next") or _referred_next(request)
        ticket = shopper.find_ticket(self._gate, request, self._room.name)
        reader = choose(request, self._look.languages)
        handed = request.query.get("move", "")
        instead = ticket is not None and f".{ticket.id.hex()}." not in handed
        scene = replace(self._scene(ticket, wanted), reader=reader, handed=handed, instead=instead)
        stamp = self._find_stamp(request)
        if stamp is not None and stamp.joins_at <= scene.now_ms:
            try:
                return await self._take_place(request, {"next": wanted}, stamp.entropy)
            except _NO_PLACE as error:
                scene = replace(scene, hurdle=_HURDLES.get(type(error)))
        elif stamp is not None:
            scene = replace(scene, joins_at=stamp.joins_at)
        if scene.hurdle is None and request.query.get("hurdle") in _SAID:
            scene = replace(scene, hurdle=request.query["hurdle"])  # type: ignore[arg-type]
        if ticket is None or "knock" not in request.query:
            response = self._show(scene)
        else:
            response = await self._knock(request, scene)
        secure = shopper.is_secure(self._gate, request)
        return keep_choice(request, response, self._look.languages, secure=secure)

    async def join(self, request: web.Request) -> web.Response:
        """Take a ticket, or do with it what the form says; back to the page."""
        form = await read_form(request)
        acts = {"leave": self._leave, "defer": self._defer, "move": self._offer, "claim": self._claim}
        if act := acts.get(form.get("do", "")):
            return await act(request, form)
        try:
            friction = self._room.friction
            if friction is not None and friction.work is not None:
                return self._hold_back(request, form, friction)
            return await self._take_place(request, form, entropy_in(form))
        except _NO_PLACE as error:
            return self._back(form, hurdle=_HURDLES.get(type(error), ""))

    async def knock(self, request: web.Request) -> web.Response:
        """Ask to be let in; on to the shop, or back to the page, which goes on knocking."""
        return self._back(await read_form(request), knock="1")

    # ---- Within

    async def _knock(self, request: web.Request, scene: Scene) -> web.Response:
        try:
            ticket = shopper.own_ticket(self._gate, request, self._room.waiting.room)
            answer = await self._room.waiting.knock(ticket)
        except (IdentityNeeded, Spent, Moved) as error:
            return self._show(replace(scene, hurdle=_HURDLES[type(error)]))
        except (NotCalled, NotOpen, TokenInvalid):
            return self._show(scene)
        except StoreAway:
            return self._show(replace(scene, store_away=True))
        scene = replace(scene, answer=answer)
        if isinstance(answer, AtDoor):
            return self._show(scene)
        _, set_cookie = shopper.give_pass(self._gate, request, shopper.pass_for(ticket, answer))
        return self._show(scene, {hdrs.SET_COOKIE: set_cookie})

    async def _take_place(
        self, request: web.Request, form: Mapping[str, str], entropy: bytes
    ) -> web.Response:
        identity = shopper.read_identity(self._gate, request, self._room.waiting.room)
        held = shopper.find_ticket(self._gate, request, self._room.name)
        if held is not None and not self._room.waiting.moves.is_held(held):
            held = None  # the page has said so, and this is the wish for a new one
        if self._room.friction is not None:
            self._room.friction.count(request)
        joined = await self._room.waiting.join(entropy, identity, held)
        _, set_cookie = shopper.give_ticket(self._gate, request, joined.ticket)
        response = self._back(form, set_cookie=set_cookie)
        if self._room.friction is not None:
            gone = shopper.take_back(self._gate, request, stamp_cookie(self._room.name))
            response.headers.add(hdrs.SET_COOKIE, gone)
        return response

    # A room that asks for work lets those wait who cannot do it; at the end of the wait their page joins.

    def _find_stamp(self, request: web.Request) -> Stamp | None:
        if self._room.friction is None:
            return None
        with suppress(IdentityNeeded):
            identity = shopper.read_identity(self._gate, request, self._room.waiting.room)
            return self._room.friction.find_stamp(request, identity)
        return None

    def _hold_back(self, request: web.Request, form: Mapping[str, str], friction: Friction) -> web.Response:
        identity = shopper.read_identity(self._gate, request, self._room.waiting.room)
        stamp = friction.stamp(request, identity)
        return self._back(form, set_cookie=shopper.give_stamp(self._gate, request, stamp))

    async def _leave(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        ticket = shopper.find_ticket(self._gate, request, self._room.name)
        if ticket is not None:
            try:
                await self._room.waiting.leave_line(ticket)
            except Moved:
                pass  # the place stays with the other device; this one forgets it
            except StoreAway:
                return self._back(form)
        gone = shopper.take_back(self._gate, request, ticket_cookie(self._room.name))
        return self._back(form, set_cookie=gone, hurdle="left")

    async def _defer(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        with suppress(Refused, TokenInvalid, StoreAway):
            ticket = shopper.own_ticket(self._gate, request, self._room.waiting.room)
            await self._room.waiting.defer(ticket)
            return self._back(form, hurdle="later")
        return self._back(form)

    async def _offer(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        """Show the link that hands the place over; it leads to this page, which any browser can show."""
        try:
            ticket = shopper.own_ticket(self._gate, request, self._room.waiting.room)
            self._room.waiting.moves.require_held(ticket)
        except (IdentityNeeded, Moved, TokenInvalid) as error:
            return self._back(form, hurdle=_HURDLES.get(type(error), ""))
        link = make_link(self._gate, request, ticket)
        address = f"{link.room}?{urlencode({'plain': '1', 'move': link.token})}"
        offer = Offer(address, await asyncio.to_thread(picture, address), link.expires_at)
        scene = replace(self._scene(ticket, form.get("next", "")), offer=offer)
        return self._show(replace(scene, reader=choose(request, self._look.languages)))

    async def _claim(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        token = form.get("move", "")
        try:
            ticket = await take_over(self._gate, request, self._room, token, entropy_in(dict(form)))
        except IdentityNeeded:
            return self._back(form, hurdle="signin", move=token)
        except StoreAway:
            return self._back(form, move=token)
        except (Refused, TokenInvalid) as error:
            return self._back(form, hurdle=_UNCLAIMED.get(type(error), "expired"))
        _, set_cookie = shopper.give_ticket(self._gate, request, ticket)
        return self._back(form, set_cookie=set_cookie)

    def _scene(self, ticket: Ticket | None, wanted: str) -> Scene:
        waiting = self._room.waiting
        position = None if ticket is None else waiting.position(ticket)
        likely = None
        if position is not None and position.ahead is not None:
            likely = chance(position.ahead, self._room.flow, waiting.line)
        path = shopper.way_on(waiting.room, wanted)
        return Scene(
            room=waiting.room,
            line=waiting.line,
            now_ms=self._gate.clock.now_ms(),
            next_path=path,
            position=position,
            wait=None if position is None else self._room.wait_for(position),
            chance=likely,
            location=path,
            hurdle=None if ticket is None or waiting.moves.is_held(ticket) else "moved",
            store_away=waiting.store_away,
            look=self._look,
        )

    def _show(self, scene: Scene, headers: Mapping[str, str] | None = None) -> web.Response:
        if isinstance(scene.answer, Entered) and scene.answer.enter_at <= scene.now_ms:
            return web.Response(status=303, headers=no_store(Location=scene.location, **(headers or {})))
        return web.Response(
            text=render_plain(scene), headers={**plain_headers(self._look), **(headers or {})}
        )

    def _back(
        self,
        form: Mapping[str, str],
        *,
        set_cookie: str = "",
        knock: str = "",
        hurdle: str = "",
        move: str = "",
    ) -> web.Response:
        query = {
            "plain": "1",
            "knock": knock,
            "hurdle": hurdle,
            "move": move,
            "next": safe_next(form.get("next", "")) or "",
        }
        query = {name: value for name, value in query.items() if value}
        headers = no_store(Location=f"/waitroom/{self._room.name}?{urlencode(query)}")
        if set_cookie:
            headers[hdrs.SET_COOKIE] = set_cookie
        return web.Response(status=303, headers=headers)


def _referred_next(request: web.Request) -> str:
    """Where the waiting page that led here was to lead; its own address cannot be in it, it is the same for all."""
    try:
        return URL(request.headers.get(hdrs.REFERER, "")).query.get("next", "")
    except ValueError:
        return ""
