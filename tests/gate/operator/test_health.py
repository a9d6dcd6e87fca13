"""What machines ask the gate."""

from prometheus_client.parser import text_string_to_metric_families

from gate.operator.health import STALE_MS
from tests.gate.operator.conftest import Desk
from waitroom.clock import ManualClock


async def test_a_gate_that_serves_its_rooms_is_ready(desk: Desk) -> None:
    """Health and readiness say yes, without a sign-in."""
    assert (await desk.send("GET", "/healthz")).status == 200
    ready = await desk.send("GET", "/readyz")
    assert (ready.status, ready.document) == (200, {"status": "ready", "missing": []})


async def test_a_gate_without_its_store_is_alive_but_not_ready(desk: Desk) -> None:
    """Readiness names each room that the store does not answer for; health does not depend on the store."""
    for room in desk.gate.rooms.values():
        room.waiting.store_away = True
    ready = await desk.send("GET", "/readyz")
    assert ready.status == 503
    assert ready.document["missing"] == [f"{room}: the store does not answer" for room in desk.gate.rooms]
    assert (await desk.send("GET", "/healthz")).status == 200


async def test_a_gate_whose_work_stands_still_is_not_ready(desk: Desk, clock: ManualClock) -> None:
    """A state document that is not built any more makes the gate not ready."""
    clock.advance(STALE_MS + 1)
    ready = await desk.send("GET", "/readyz")
    assert (ready.status, ready.document["missing"][0]) == (503, "mi-launch: its state is 5 s old")
    for room in desk.gate.rooms.values():
        await room.tick()
    assert (await desk.send("GET", "/readyz")).status == 200


async def _metrics(desk: Desk) -> dict[tuple[str, str], float]:
    text = (await desk.send("GET", "/metrics")).text
    return {
        (sample.name, sample.labels.get("room", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_metrics_show_the_line_and_the_pace(desk: Desk) -> None:
    """Prometheus reads what the line in the store says, room by room, without a sign-in."""
    room = desk.gate.rooms["mi-launch"]
    await room.waiting.join(b"e" * 32)
    await room.tick()
    metrics = await _metrics(desk)
    assert metrics["waitroom_issued_tickets", "mi-launch"] == 1
    assert metrics["waitroom_issued_tickets", "mi-outlet"] == 0
    assert metrics["waitroom_rate_per_minute", "mi-launch"] == 120
    assert metrics["waitroom_capacity_visits", "mi-outlet"] == float("inf")


async def test_the_state_grows_old_while_the_line_cannot_be_read(desk: Desk) -> None:
    """The age that metrics tell starts again with each reading of the line."""
    first = (await _metrics(desk))["waitroom_state_age_seconds", "mi-launch"]
    second = (await _metrics(desk))["waitroom_state_age_seconds", "mi-launch"]
    await desk.gate.rooms["mi-launch"].tick()
    assert second > first >= 0
    assert (await _metrics(desk))["waitroom_state_age_seconds", "mi-launch"] < second


async def test_nothing_of_the_operators_is_kept_by_caches(desk: Desk) -> None:
    """Every answer forbids storing it, and being shown inside another page."""
    for path in ("/healthz", "/readyz", "/metrics", "/", "/api/rooms", "/nowhere"):
        headers = (await desk.send("GET", path)).headers
        assert headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
