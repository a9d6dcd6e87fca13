"""The first lines an operator reads: where everything is, the sign-in, and when the sale opens."""

import json
import secrets as random
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from threading import Event
from typing import Any

from rich.text import Text

from waitroom.clock import Clock
from waitroom.errors import WaitroomError
from waitroom.processes import Say
from waitroom.room import Phase
from waitroom.settings import Settings
from waitroom.tickets import Operator, Tokens

SIGN_IN_MS = 600_000
"""How long a sign-in link may wait to be used, once."""

_LOOK_S = 0.1
_LOOKS_BEFORE_NOTICE = 100
_ANSWER_S = 2

_PHASES = {
    Phase.SCHEDULED: "not open yet",
    Phase.PRESALE: "the presale is open",
    Phase.DRAWING: "the draw is under way",
    Phase.OPEN: "the sale is open",
    Phase.PAUSED: "the sale is paused",
    Phase.SOLD_OUT: "sold out",
    Phase.CLOSED: "closed",
}


def wait_until_ready(settings: Settings, say: Say, stopping: Event) -> bool:
    """Wait until gate and shop answer; False when told to stop meanwhile. Says so once if it takes long."""
    waiting = {"gate": (settings.operator_port, "/readyz")}
    if not settings.upstream:
        waiting["shop"] = (settings.shop_port, "/healthz")
    looks = 0
    while waiting := {name: at for name, at in waiting.items() if _get(settings.host, *at) is None}:
        looks += 1
        if looks == _LOOKS_BEFORE_NOTICE:
            say(f"still waiting for: {', '.join(waiting)}")
        if stopping.wait(_LOOK_S):
            return False
    return True


def check_operator(settings: Settings) -> None:
    """See that a gate listens where a sign-in link would lead.

    Raises:
        WaitroomError: nothing answers there.
    """
    if _get(settings.host, settings.operator_port, "/healthz") is None:
        raise WaitroomError(
            f"nothing answers at {settings.address(settings.operator_port)}; "
            "give the same OPERATOR_PORT and WAITROOM_DATA as to make run"
        )


def sign_in_link(settings: Settings, secrets: tuple[str, ...], clock: Clock) -> str:
    """A fresh address that signs the operator in, once."""
    operator = Operator("sign-in", random.token_urlsafe(12), clock.now_ms() + SIGN_IN_MS)
    code = Tokens(secrets).sign_operator(operator)
    return f"{settings.address(settings.operator_port)}/sign-in?code={code}"


def banner(settings: Settings, secrets: tuple[str, ...], clock: Clock) -> Text:
    """Addresses, the sign-in, and each room with its phase and opening."""
    gate = settings.address(settings.gate_port)
    lines = [Text()]
    for name, room in settings.rooms.items():
        lines += [
            Text(f"  {room.title or name}", style="bold"),
            _line("sale", _outlook(settings, name, clock)),
            _line("waiting room", f"{gate}/waitroom/{name}"),
        ]
    lines += [
        _line("shop", f"{gate}/"),
        _line("operator", sign_in_link(settings, secrets, clock)),
        _line("", "good once, for ten minutes; .venv/bin/waitroom operator makes another"),
        _line("metrics", f"{settings.address(settings.operator_port)}/metrics"),
        _line("data", f"{settings.data}/ (the next run goes on from there)"),
        _line("stop", "Ctrl-C"),
    ]
    return Text("\n").join(lines)


def _line(label: str, text: str) -> Text:
    return Text.assemble((f"  {label:<14}", "dim"), text)


def _outlook(settings: Settings, room: str, clock: Clock) -> str:
    body = _get(settings.host, settings.gate_port, f"/waitroom/{room}/state")
    state: dict[str, Any] = json.loads(body) if body else {}
    if not state:
        return "the gate has no state of this room yet"
    words = _PHASES[Phase(state["phase"])]
    left_s = round((state["opens_at"] - clock.now_ms()) / 1000)
    if left_s <= 0:
        return words
    opens = datetime.fromtimestamp(state["opens_at"] / 1000).astimezone()
    return f"{words}; the sale opens at {opens:%H:%M:%S on %d %B %Y (%Z)}, in {_duration(left_s)}"


def _duration(seconds: int) -> str:
    """``5 s``, ``1 min 0 s``, ``3 h 20 min``, ``2 d 4 h``: the two units that matter."""
    (days, hours), (minutes, left) = divmod(seconds // 3600, 24), divmod(seconds % 3600, 60)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    first = next((index for index, (count, _) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2])


def _get(host: str, port: int, path: str) -> bytes | None:
    """The body of a good answer, else None."""
    connection = HTTPConnection(host, port, timeout=_ANSWER_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    return body if answer.status == 200 else None
