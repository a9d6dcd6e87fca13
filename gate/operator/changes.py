"""What an operator may order, checked before anything is changed: another pace, a hold on the door."""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from gate.problems import BadRequest
from waitroom.room import Hold, Pace
from waitroom.settings import RoomSettings

PACE_FIELDS = (
    "rate", "capacity", "burst", "visit_seconds", "visit_longest_seconds", "more_time_seconds", "more_times",
)  # fmt: skip
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"

Reason = Annotated[str, StringConstraints(max_length=200, pattern=_NO_CONTROLS, strip_whitespace=True)]


class HoldOrder(BaseModel):
    """``POST /api/rooms/<room>/hold``: what to do to the door, and why; the reason is public."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    action: Hold = Field(strict=False)
    reason: Reason = ""


class _PaceOrder(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: int = Field(ge=1)
    reason: Reason = ""


def describe_pace(pace: Pace) -> dict[str, Any]:
    """A pace in the units of the settings; ``visit_longest_seconds`` equals ``visit_seconds`` unless visits slide."""
    return {
        "rate": pace.rate,
        "capacity": pace.capacity,
        "burst": pace.burst,
        "visit_seconds": pace.visit_ms / 1000,
        "visit_longest_seconds": pace.visit_longest_ms / 1000,
        "more_time_seconds": pace.more_time_ms / 1000,
        "more_times": pace.more_times,
        "version": pace.version,
    }


def read_hold(body: dict[str, Any]) -> HoldOrder:
    """The hold in a body.

    Raises:
        BadRequest: naming the field, its value and what would be right.
    """
    try:
        return HoldOrder.model_validate(body)
    except ValidationError as error:
        raise BadRequest(_explain(error)) from None


def read_pace(body: dict[str, Any], now: Pace) -> tuple[Pace, str]:
    """The pace that a body asks for, with the version it is based on, and the reason; ``now`` fills what it omits.

    The bounds are those of the settings file. A room whose visits do not slide goes on without sliding.

    Raises:
        BadRequest: naming the field, its value and what would be right.
    """
    changes = {name: value for name, value in body.items() if name in PACE_FIELDS}
    current = describe_pace(now)
    if not now.sliding:
        del current["visit_longest_seconds"]
    del current["version"]
    try:
        order = _PaceOrder.model_validate({n: v for n, v in body.items() if n not in changes})
        settings = RoomSettings.model_validate(current | changes, strict=True)
    except ValidationError as error:
        raise BadRequest(_explain(error)) from None
    if not changes:
        raise BadRequest(f"nothing to change: name one of {', '.join(PACE_FIELDS)}")
    return replace(settings.pace(), version=order.version), order.reason


def _explain(error: ValidationError) -> str:
    return "; ".join(
        _explain_one(str(each["loc"][0]) if each["loc"] else "", each["type"], each["input"], each["msg"])
        for each in error.errors()
    )


def _explain_one(name: str, kind: str, value: object, message: str) -> str:
    wanted = (
        message.removeprefix("Value error, ").replace("Input should", "must").replace("String should", "must")
    )
    if kind == "missing":
        return f"{name} is missing"
    if kind == "extra_forbidden":
        return f"{name} is no field of this request"
    if kind == "string_pattern_mismatch":
        wanted = "must be one line of plain text"
    shown = repr(value)
    return f"{name} = {shown if len(shown) <= 60 else shown[:60] + '…'}: {wanted}" if name else wanted
