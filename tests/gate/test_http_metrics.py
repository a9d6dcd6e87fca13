"""What Prometheus reads of the HTTP side."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from gate.app import build_public_app
from gate.gate import Gate, Handler
from gate.http_metrics import HttpMetrics
from gate.operator.app import build_operator_app
from tests.gate.front import BASE, Front


def test_requests_are_counted_by_route_method_and_status() -> None:
    """Methods that nobody knows are one; the buckets of time add up."""
    registry = CollectorRegistry()
    metrics = HttpMetrics(registry)
    for method, status, seconds in (("GET", 200, 0.0004), ("GET", 200, 0.3), ("BREW", 405, 60)):
        metrics.answered("state", method, status, seconds)

    def read(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"gate_{name}", {"route": "state", **labels})

    assert read("requests_total", method="GET", status="200") == 2
    assert read("requests_total", method="other", status="405") == 1
    assert [
        read("request_seconds_bucket", le=bound) for bound in ("0.0005", "0.25", "0.5", "10", "+Inf")
    ] == [
        1,
        1,
        2,
        2,
        3,
    ]
    assert read("request_seconds_count") == 3
    assert read("request_seconds_sum") == 60.3004


async def test_no_path_and_no_shopper_becomes_a_label(front: Front) -> None:
    """Whatever is asked for, the routes stay few."""
    shopper = front.shopper()
    for path in (f"{BASE}/state", f"{BASE}/none", "/a", "/b?c", "/sale/d"):
        await shopper.get(path)
    samples = [sample for metric in front.gate.metrics.collect() for sample in metric.samples]
    assert {sample.labels["route"] for sample in samples} == {"state", "shop"}


async def test_every_route_stands_in_the_docs(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the label ``route`` may say, and no more."""
    routes = {"shop"}  # made when the listener opens

    def endpoint(_: Gate, route: str, methods: dict[str, Handler]) -> Handler:
        routes.add(route)
        return next(iter(methods.values()))

    monkeypatch.setattr(Gate, "endpoint", endpoint)
    build_public_app(front.gate)
    build_operator_app(front.gate)
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    listed = text.partition("Routes are names, not paths: ")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", listed)) == routes
