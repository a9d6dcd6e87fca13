"""What the holder of a ticket may ask beyond waiting and knocking: to come later."""

from aiohttp import web

from gate import shopper
from gate.gate import Gate, Handler, LiveRoom, no_store


class HoldersApi:
    """The handlers of one room's addresses for those who hold a ticket."""

    def __init__(self, gate: Gate, room: LiveRoom) -> None:
        self._gate = gate
        self._room = room
        self.addresses: dict[str, tuple[str, dict[str, Handler]]] = {
            "defer": ("/ticket/defer", {"POST": self.defer}),
        }

    async def defer(self, request: web.Request) -> web.Response:
        """Not now: let others by."""
        ticket = shopper.own_ticket(self._gate, request, self._room.waiting.room)
        await self._room.waiting.defer(ticket)
        return web.Response(status=204, headers=no_store())
