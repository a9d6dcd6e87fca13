"""The public state document: what the page needs, and no more."""

import json
from typing import Any

import pytest

from tests.conftest import DRAW, NOON, Sale, crowd
from waitroom.room import Hold
from waitroom.state import State, build_state

CLOSES_MS = 55_000


async def test_the_document_says_what_the_page_needs(sale: Sale) -> None:
    """All of it is public: no secret, nobody's name, no entropy."""
    waiting = await sale.gate(
        opens_in=60, title="Mi", notice="Grüße", identity=True, capacity=10, rate=60, visit_seconds=60
    )
    await crowd(waiting, 3)
    await waiting.tick()
    state = build_state(waiting, NOON + 1)
    assert state.built_at == NOON + 1
    assert DRAW.hex().encode() not in state.body
    assert "Grüße".encode() in state.body
    assert json.loads(state.body) == {
        "room": "mi-launch",
        "title": "Mi",
        "phase": "presale",
        "joinable": True,
        "now": NOON + 1,
        "presale_opens_at": NOON,
        "presale_closes_at": NOON + CLOSES_MS,
        "opens_at": NOON + 60_000,
        "closes_at": None,
        "issued": 3,
        "called": 0,
        "entries": 0,
        "visits": 0,
        "at_door": 0,
        "called_per_minute": 0.0,
        "entering_per_minute": 0.0,
        "rate": 60.0,
        "sustained_per_minute": 10.0,
        "show_rate": 1.0,
        "units_left": None,
        "units_held": None,
        "units_taken": 0,
        "draw": {
            "mode": "local",
            "commitment": waiting.commitment.hash.hex(),
            "commit_sha256": waiting.commitment.document_hash.hex(),
            "size": None,
            "root": None,
            "secret": None,
            "seed": None,
            "round": None,
            "round_at": None,
        },
        "identity": True,
        "sign_in": "/account/sign-in",
        "notice": "Grüße",
        "reason": "",
        "shop_trouble": False,
        "store_away": False,
        "poll": {"near_s": 2, "far_s": 20},
    }


async def test_the_secret_is_out_once_the_draw_is_settled(sale: Sale) -> None:
    """Not while more tickets could still be chosen to suit it."""
    waiting = await sale.gate(opens_in=60)
    await crowd(waiting, 3)
    await sale.later(waiting, CLOSES_MS)
    assert _document(build_state(waiting, NOON))["draw"]["secret"] is None
    await waiting.advance_draw()
    await waiting.tick()
    drawn = _document(build_state(waiting, NOON))["draw"]
    assert (drawn["size"], drawn["secret"]) == (3, DRAW.hex())
    assert waiting.line.seed is not None
    assert waiting.line.root is not None
    assert (drawn["root"], drawn["seed"]) == (waiting.line.root.hex(), waiting.line.seed.hex())


@pytest.mark.parametrize(
    "settings, allowed",
    [
        ({"rate": 60}, 60),
        ({"rate": 60, "capacity": 30, "visit_seconds": 60}, 30),
        ({"rate": 60, "capacity": 90, "visit_seconds": 60}, 60),
    ],
)
async def test_the_limits_that_bind_in_the_long_run_are_told(
    sale: Sale, settings: dict[str, Any], allowed: float
) -> None:
    """The rate, or as many as can have a visit of full length."""
    waiting = await sale.gate(**settings)
    assert _document(build_state(waiting, NOON))["sustained_per_minute"] == allowed


async def test_a_room_without_presale_or_identity_has_neither(sale: Sale) -> None:
    """No draw, no sign-in; but the reason of a pause, and the units."""
    waiting = await sale.gate()
    await waiting.tell_units(3, 1)
    await waiting.hold(Hold.PAUSE, by="olga", reason="the till is down")
    document = _document(build_state(waiting, NOON))
    assert (document["draw"], document["sign_in"], document["phase"]) == (None, None, "paused")
    assert (document["reason"], document["joinable"]) == ("the till is down", True)
    assert (document["units_left"], document["units_held"]) == (3, 1)


async def test_the_reason_is_that_of_what_holds_now(sale: Sale) -> None:
    """Of the pause, of the sold-out that an operator declared, of the closing; the shop's own sold-out has none."""
    waiting = await sale.gate()

    async def reason(action: Hold, said: str) -> object:
        await waiting.hold(action, by="olga", reason=said)
        return _document(build_state(waiting, NOON))["reason"]

    assert await reason(Hold.PAUSE, "the till is down") == "the till is down"
    assert await reason(Hold.SOLD_OUT, "the rest goes to the shops") == "the rest goes to the shops"
    assert await reason(Hold.RESTOCK, "found more") == ""
    assert await reason(Hold.PAUSE, "the till is down") == "the till is down"
    await waiting.tell_units(0, 0)
    await waiting.tick()
    assert _document(build_state(waiting, NOON))["reason"] == ""
    assert await reason(Hold.CLOSE, "thank you all") == "thank you all"


async def test_the_tag_changes_with_the_content_and_only_then(sale: Sale) -> None:
    """So that a cache asks again in a few bytes."""
    waiting = await sale.gate()
    first, same, later = (build_state(waiting, now) for now in (NOON, NOON, NOON + 1))
    assert first == same
    assert first.etag != later.etag
    assert first.etag.startswith('"')
    assert first.etag.endswith('"')


def _document(state: State) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(state.body)
    return document
