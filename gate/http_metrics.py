"""Prometheus metrics of the HTTP side: requests, the shop's answers, and joins that were refused."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class HttpMetrics(Collector):
    """Counts in plain numbers, and makes metrics of them when they are asked for.

    All counting happens on one event loop, so it needs none of the locks of the library's own counters, which
    took a tenth of the time of a poll. Routes are names of ours and few; paths never become labels.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_SECONDS) + 1))
        self._seconds: dict[str, float] = defaultdict(float)
        self._shop: dict[tuple[str, str], int] = defaultdict(int)
        self._refused: dict[tuple[str, str], int] = defaultdict(int)
        registry.register(self)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests[route, method if method in _METHODS else "other", status] += 1
        self._buckets[route][bisect_left(_SECONDS, seconds)] += 1
        self._seconds[route] += seconds

    def shop_answered(self, room: str, result: str) -> None:
        """Count one of the shop's answers to a room's visitors."""
        self._shop[room, result] += 1

    def refused(self, room: str, reason: str) -> None:
        """Count one join that a room's friction refused."""
        self._refused[room, reason] += 1

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """The counts so far, as Prometheus reads them."""
        requests = CounterMetricFamily(
            "gate_requests", "Requests answered.", labels=("route", "method", "status")
        )
        for (route, method, status), count in self._requests.items():
            requests.add_metric((route, method, str(status)), count)
        yield requests
        durations = HistogramMetricFamily("gate_request_seconds", "Time to answer.", labels=("route",))
        bounds = [*map(str, _SECONDS), "+Inf"]
        for route, counts in self._buckets.items():
            cumulative = list(zip(bounds, accumulate(counts), strict=True))
            durations.add_metric((route,), cumulative, self._seconds[route])
        yield durations
        shop = CounterMetricFamily(
            "gate_shop_answers", "The shop's answers to visitors.", labels=("room", "result")
        )
        for (room, result), count in self._shop.items():
            shop.add_metric((room, result), count)
        yield shop
        refused = CounterMetricFamily(
            "gate_refused_joins", "Joins refused by what a room asks of programs.", labels=("room", "reason")
        )
        for labels, count in self._refused.items():
            refused.add_metric(labels, count)
        yield refused
