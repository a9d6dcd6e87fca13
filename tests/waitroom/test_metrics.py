"""Metrics of the line: what its events make of them."""

import math

import pytest
from prometheus_client import CollectorRegistry

from tests.conftest import NOON, Sale, crowd, enter, entropy
from waitroom.answers import Entered
from waitroom.events import (
    Drawn,
    Joined,
    Knocked,
    Left,
    LineRead,
    PhaseChanged,
    ScriptRan,
    StoreBack,
    StoreLost,
)
from waitroom.metrics import LineMetrics
from waitroom.room import Phase
from waitroom.tickets import Pass


@pytest.fixture
def registry() -> CollectorRegistry:
    """Metrics of this test alone."""
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> LineMetrics:
    """The observer."""
    return LineMetrics(registry)


async def test_a_whole_visit_is_counted(
    sale: Sale, registry: CollectorRegistry, metrics: LineMetrics
) -> None:
    """From the join to the end, as the events of a real room tell it."""
    waiting = await sale.gate(capacity=2, rate=60, more_time_seconds=60)
    tickets = await crowd(waiting, 3)
    await crowd(waiting, 1)
    await sale.later(waiting, 250)
    entered = await enter(waiting, tickets[0])
    await waiting.knock(tickets[0])
    granted = Pass(waiting.room.name, 0, 0, entered.enter_at, entered.expires_at)
    granted = await waiting.extend(granted)
    await waiting.claim(tickets[2], entropy(9))
    await waiting.defer(tickets[1])
    await waiting.leave_shop(granted)
    await waiting.tick()
    for event in sale.events:
        metrics(event)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"room": "mi-launch", **labels})

    assert isinstance(entered, Entered)
    assert value("waitroom_joins_total", result="new") == 3
    assert value("waitroom_joins_total", result="known") == 1
    assert value("waitroom_join_batch_size_count") == 4
    assert value("waitroom_knocks_total", result="entered") == 2
    assert value("waitroom_entered_total") == 1
    for each in ("deferred", "moved", "extended", "left"):
        assert value(f"waitroom_{each}_total") == 1
    assert value("waitroom_issued_tickets") == value("waitroom_called_places") == 3
    assert (value("waitroom_waiting_places"), value("waitroom_coming_places")) == (0, 1)
    assert (value("waitroom_visits"), value("waitroom_entries"), value("waitroom_door_places")) == (0, 1, 0)
    assert value("waitroom_show_ratio") == 0.6
    assert (value("waitroom_rate_per_minute"), value("waitroom_burst_entries")) == (60, 1)
    assert value("waitroom_capacity_visits") == 2
    assert [value("waitroom_phase", phase=each) for each in Phase] == [each is Phase.OPEN for each in Phase]
    assert registry.get_sample_value("waitroom_script_seconds_count", {"verb": "knock"}) == 2


async def test_what_is_not_known_or_has_no_limit_reads_so(
    sale: Sale, registry: CollectorRegistry, metrics: LineMetrics
) -> None:
    """Units that the shop has not told are no number; no capacity is infinite."""
    await sale.gate()
    for event in sale.told(LineRead):
        metrics(event)
    room = {"room": "mi-launch"}
    units = registry.get_sample_value("waitroom_units_left", room)
    assert units is not None
    assert math.isnan(units)
    assert registry.get_sample_value("waitroom_capacity_visits", room) == math.inf


def test_the_store_is_up_until_it_is_lost(registry: CollectorRegistry, metrics: LineMetrics) -> None:
    """And again when it is found; a call that failed is counted with its verb."""
    seen = [registry.get_sample_value("waitroom_store_up")]
    for event in (StoreLost("gone"), StoreBack()):
        metrics(event)
        seen.append(registry.get_sample_value("waitroom_store_up"))
    assert seen == [1, 0, 1]
    metrics(ScriptRan("join", 0.25, ok=False))
    assert registry.get_sample_value("waitroom_script_failures_total", {"verb": "join"}) == 1
    assert registry.get_sample_value("waitroom_script_seconds_sum", {"verb": "join"}) == 0.25


def test_no_metric_is_kept_for_a_shopper(registry: CollectorRegistry, metrics: LineMetrics) -> None:
    """I13: a million shoppers make no series more than one."""

    def series() -> int:
        return sum(len(metric.samples) for metric in registry.collect())

    def one(place: int) -> None:
        for event in (
            Joined("mi-launch", 1, 0),
            Knocked("mi-launch", "entered"),
            Left("mi-launch", place),
            Drawn("mi-launch", place, b""),
            PhaseChanged("mi-launch", Phase.OPEN, Phase.PAUSED),
        ):
            metrics(event)

    one(0)
    before = series()
    for place in range(1, 100):
        one(place)
    assert series() == before


async def test_an_observer_may_be_given_to_a_room(sale: Sale, metrics: LineMetrics) -> None:
    """The room tells it everything, and no event is unknown to it."""
    waiting = await sale.gate(opens_in=60)
    waiting._observe = metrics
    await waiting.join(entropy(1))
    await sale.later(waiting, 55_000)
    await waiting.advance_draw()
    assert sale.clock.now_ms() == NOON + 55_000
