"""Previews: the real waiting page of a room, at addresses of their own that tell of a made-up sale."""

import json
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import hdrs, web

from gate.bodies import is_form
from gate.gate import Gate, Handler, no_store
from gate.languages import choose, keep_choice
from gate.look import Look, our_look
from gate.operator.console import no_link
from gate.operator.scenes import NOW, make_scenes
from gate.operator.session import Sessions
from gate.page import plain_headers, render_more, render_page
from gate.plain import Scene, render_plain
from gate.problems import TYPES, wants_page
from gate.shopper import is_secure
from gate.work_api import give_worker
from waitroom.answers import AtDoor, Entered
from waitroom.errors import TokenInvalid
from waitroom.friction import FrictionSettings
from waitroom.presale import Commitment
from waitroom.room import Line, Phase, Room, phase
from waitroom.state import build_state

_SELDOM = {"near_s": 86_400, "far_s": 86_400}  # nothing happens in a made-up sale
_REFUSED = {
    "signin": (401, "sign-in-needed", ""),
    "once": (409, "one-visit-only", ""),
    "unable": (403, "work-needed", "missing"),
    "crowded": (429, "too-many-joins", ""),
}

_PLAIN = {"visit": "entering"}
"""Faces that there are with scripts alone, and what stands for them without."""


class Previews:
    """The handlers of every room's previews, for operators who have signed in."""

    def __init__(self, gate: Gate, sessions: Sessions) -> None:
        self._gate = gate
        self._sessions = sessions

    def add_routes(self, app: web.Application) -> None:
        """Put the addresses into an application."""
        addresses: dict[str, dict[str, Handler]] = {
            "": {"GET": self.index},
            "/{face}": {"GET": self.page},
            "/{face}/more.js": {"GET": self.more},
            "/{face}/state": {"GET": self.state},
            "/{face}/ticket": {"GET": self.ticket, "POST": self.ticket, "DELETE": self.leave},
            "/{face}/ticket/defer": {"POST": self.leave},
            "/{face}/ticket/claim": {"POST": self.claim},
            "/{face}/pass": {"GET": self.visit, "POST": self.knock},
            "/{face}/worker.js": {"GET": give_worker},
        }
        for path, methods in addresses.items():
            endpoint = self._gate.endpoint("operator_preview", methods)
            app.router.add_route("*", "/preview/{room}" + path, endpoint)

    async def index(self, request: web.Request) -> web.Response:
        """Links to all faces, in all languages."""
        try:
            self._sessions.read(request)
        except TokenInvalid as error:
            if not wants_page(request):
                raise
            return no_link(error)
        room, look = self._find(request)
        page = our_look().environment("en").get_template("operator/preview.html")
        html = page.render(room=room, faces=list(make_scenes(room)), spoken=look.names)
        return web.Response(text=html, content_type="text/html", headers=no_store())

    async def page(self, request: web.Request) -> web.Response:
        """One face; with ``plain=1`` as it is without JavaScript."""
        try:
            scene = self._scene(request)
        except TokenInvalid as error:
            if not wants_page(request):
                raise
            return no_link(error)
        if "plain" in request.query:
            headers = plain_headers(scene.look)
            response = web.Response(text=render_plain(scene), headers=headers)
        else:
            friction = FrictionSettings(work=int(scene.hurdle in {"unable", "crowded"}))
            page = render_page(scene.room, scene.reader.language, scene.look, friction)
            response = web.Response(body=page.body, headers={**page.headers, **no_store()})
        return keep_choice(request, response, scene.look.languages, secure=is_secure(self._gate, request))

    async def more(self, request: web.Request) -> web.Response:
        """The module that the page imports when a part of it is opened."""
        scene = self._scene(request)
        more = render_more(scene.reader.language, scene.look)
        return web.Response(body=more.body, headers={**more.headers, **no_store()})

    async def state(self, request: web.Request) -> web.Response:
        """The state of the made-up sale, whose clock stands still."""
        document = json.loads(build_state(_MadeUp.of(self._scene(request)), NOW).body)
        return web.json_response(document | {"poll": _SELDOM}, headers=no_store())

    async def ticket(self, request: web.Request) -> web.Response:
        """A ticket that stands where the face needs it, or the refusal that makes the face."""
        scene = self._scene(request)
        if is_form(request):
            return self._back(scene)
        if scene.hurdle in _REFUSED:
            return _refuse(*_REFUSED[scene.hurdle])
        if scene.position is None:
            return _json({}, 202)  # the page goes on taking its place
        return _json({"number": scene.position.number, "ticket": "0" * 32, "leaf": "0" * 64})

    async def leave(self, request: web.Request) -> web.Response:
        """Nobody leaves, but the page shows it."""
        self._scene(request)
        return web.Response(status=204, headers=no_store())

    async def claim(self, request: web.Request) -> web.Response:
        """No place is handed over."""
        self._scene(request)
        return _refuse(409, "conflict")

    async def visit(self, request: web.Request) -> web.Response:
        """The visit of those who are in the shop."""
        answer = self._scene(request).answer
        if not isinstance(answer, Entered):
            return _refuse(401, "token-invalid")
        return _json({"expires_at": answer.expires_at, "more_time": {"seconds": 300, "left": 2}})

    async def knock(self, request: web.Request) -> web.Response:
        """What a knock leads to on this face."""
        scene = self._scene(request)
        if is_form(request):
            return self._back(scene)
        if scene.hurdle in {"spent", "moved"}:
            return _refuse(409, scene.hurdle)
        if isinstance(scene.answer, AtDoor):
            return _json({"before": scene.answer.before, "knock_again_at": scene.answer.knock_again_at}, 202)
        if isinstance(scene.answer, Entered):
            return _json({"enter_at": scene.answer.enter_at, "location": scene.base}, 201)
        return _refuse(425, "not-called")

    def _find(self, request: web.Request) -> tuple[Room, Look]:
        name = request.match_info["room"]
        if name not in self._gate.rooms:
            raise web.HTTPNotFound(text=f"there is no room {name[:63]!r}")
        return self._gate.rooms[name].waiting.room, self._gate.looks[name]

    def _scene(self, request: web.Request) -> Scene:
        self._sessions.read(request)
        room, look = self._find(request)
        texts = self._gate.settings.rooms[room.name].texts.values()
        reason = next((reason for each in texts for reason in each.reasons), "…")
        face = request.match_info["face"]
        if "plain" in request.query:
            face = _PLAIN.get(face, face)
        scene = make_scenes(room, reason).get(face)
        if scene is None:
            raise web.HTTPNotFound(text=f"there is no face {face[:63]!r}")
        base = f"/preview/{room.name}/{face}"
        reader = choose(request, look.languages, by_cookie="plain" in request.query)
        return replace(scene, look=look, reader=reader, base=base, location=base)

    @staticmethod
    def _back(scene: Scene) -> web.Response:
        return web.Response(status=303, headers=no_store(**{hdrs.LOCATION: scene.address}))


@dataclass(frozen=True, slots=True)
class _MadeUp:
    """A scene, as the state document sees a waiting room."""

    room: Room
    line: Line
    store_away: bool
    commitment: Commitment

    @classmethod
    def of(cls, scene: Scene) -> "_MadeUp":
        return cls(scene.room, scene.line, scene.store_away, Commitment(bytes(32), b""))

    def phase(self) -> Phase:
        """The phase at the moment of the scene."""
        return phase(self.room.schedule, self.line, NOW)


def _json(document: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(document, status=status, headers=no_store())


def _refuse(status: int, slug: str, reason: str = "") -> web.Response:
    return _json({"type": TYPES + slug, "status": status, "reason": reason}, status)
