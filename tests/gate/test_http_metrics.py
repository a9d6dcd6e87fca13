"""What Prometheus reads of the HTTP side."""

from prometheus_client import CollectorRegistry

from gate.http_metrics import HttpMetrics
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
