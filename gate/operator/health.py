"""What machines ask a gate: is it alive, is it ready, how is it doing."""

from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gate.gate import Gate, no_store

STALE_MS = 5_000
"""A state document this old says that the gate's own work has come to a stop; it is built once a second."""


class Health:
    """Liveness, readiness and metrics; they need no sign-in and tell no secrets."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def add_routes(self, app: web.Application) -> None:
        """Put the addresses into an application."""
        for name, handler in {"healthz": self.alive, "readyz": self.ready, "metrics": self.metrics}.items():
            app.router.add_route("*", f"/{name}", self._gate.endpoint(name, {"GET": handler}))

    async def alive(self, _request: web.Request) -> web.Response:
        """Whether the process answers at all."""
        return web.json_response({"status": "alive"}, headers=no_store())

    async def ready(self, _request: web.Request) -> web.Response:
        """Whether every room is founded, read from a store that answers, and served fresh; else what is missing."""
        missing = self._missing()
        document = {"status": "not ready" if missing else "ready", "missing": missing}
        return web.json_response(document, status=503 if missing else 200, headers=no_store())

    async def metrics(self, _request: web.Request) -> web.Response:
        """For Prometheus; ``docs/metrics.md`` lists them."""
        headers = no_store(**{hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})
        return web.Response(body=generate_latest(self._gate.registry), headers=headers)

    def _missing(self) -> list[str]:
        # A room is founded before the gate listens, and again by its next tick if the store forgets it.
        missing, now = [], self._gate.clock.now_ms()
        for name, room in self._gate.rooms.items():
            if room.waiting.store_away:
                missing.append(f"{name}: the store does not answer")
            if (age_ms := now - room.state.built_at) > STALE_MS:
                missing.append(f"{name}: its state is {age_ms // 1000} s old")
        return missing
