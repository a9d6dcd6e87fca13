"""The operator's pages: the sign-in, and a console for each room."""

from dataclasses import asdict
from typing import Any

from aiohttp import hdrs, web

from gate.bodies import read_form, read_json
from gate.gate import Gate, Handler, LiveRoom, no_store
from gate.look import our_look
from gate.operator.changes import describe_pace
from gate.operator.session import Sessions
from gate.problems import wants_page
from waitroom.errors import StoreAway, TokenExpired, TokenInvalid


class Console:
    """The handlers of the pages; figures and changes go through the API."""

    def __init__(self, gate: Gate, sessions: Sessions) -> None:
        self._gate = gate
        self._sessions = sessions

    def add_routes(self, app: web.Application) -> None:
        """Put the addresses into an application."""
        addresses: dict[str, dict[str, Handler]] = {
            "/": {"GET": self.room},
            "/rooms/{room}": {"GET": self.room},
            "/sign-in": {"GET": self.offer_sign_in, "POST": self.sign_in},
            "/sign-out": {"POST": self.sign_out},
        }
        for path, methods in addresses.items():
            app.router.add_route("*", path, self._gate.endpoint("operator_page", methods))

    async def room(self, request: web.Request) -> web.Response:
        """The console of a room; at ``/`` of the first one."""
        try:
            session = self._sessions.read(request)
        except TokenInvalid as error:
            if not wants_page(request):
                raise
            return no_link(error)
        live = self._find(request.match_info.get("room"))
        room = live.waiting.room
        rooms = {name: each.waiting.room.title for name, each in self._gate.rooms.items()}
        return _page("room", room=asdict(room), pace=describe_pace(room.pace), rooms=rooms, by=session.by)

    async def offer_sign_in(self, request: web.Request) -> web.Response:
        """A button that signs in; looking at the link spends nothing, so previews of it do no harm."""
        code = request.query.get("code", "")
        try:
            link = self._sessions.check_code(code)
        except TokenInvalid as error:
            return no_link(error, code)
        if await self._sessions.is_used(link):
            return _page("help", 401, trouble="used")
        return _page("sign_in", code=code)

    async def sign_in(self, request: web.Request) -> web.Response:
        """Open a session with a link's code; a script gets its token as JSON."""
        if request.content_type == "application/json":
            body = await read_json(request)
            link = self._sessions.check_code(str(body.get("code")))
            session = await self._sessions.open(link, str(body.get("name") or ""))
            document = {"token": session.token, "expires_at": session.expires_at, "by": session.by}
            return web.json_response(document, headers=no_store())
        form = await read_form(request)
        code = form.get("code", "")
        try:
            link = self._sessions.check_code(code)
        except TokenInvalid as error:
            return no_link(error, code)
        try:
            session = await self._sessions.open(link, form.get("name", ""))
        except TokenInvalid:
            return _page("help", 401, trouble="used")
        except StoreAway:
            return _page("sign_in", 503, code=code, store_away=True)
        return self._go("/", self._sessions.cookie(request, session.token))

    async def sign_out(self, request: web.Request) -> web.Response:
        """Forget the session."""
        return self._go("/", self._sessions.cookie(request, ""))

    def _find(self, name: str | None) -> LiveRoom:
        if name is None:
            return next(iter(self._gate.rooms.values()))
        if name not in self._gate.rooms:
            raise web.HTTPNotFound(text=f"there is no room {name[:63]!r}")
        return self._gate.rooms[name]

    @staticmethod
    def _go(location: str, set_cookie: str) -> web.Response:
        return web.Response(
            status=303, headers=no_store(**{hdrs.LOCATION: location, hdrs.SET_COOKIE: set_cookie})
        )


def no_link(error: TokenInvalid, code: str = "") -> web.Response:
    """How to get a link, and what is wrong with the one at hand."""
    return _page(
        "help", 401, trouble="expired" if isinstance(error, TokenExpired) else "invalid" if code else ""
    )


def _page(name: str, status: int = 200, **context: Any) -> web.Response:  # noqa: ANN401 - a template's values
    html = our_look().environment("en").get_template(f"operator/{name}.html").render(**context)
    return web.Response(text=html, status=status, content_type="text/html", headers=no_store())
