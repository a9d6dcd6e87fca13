"""Prometheus metrics of the HTTP side: requests by route, method and status, and how long they took."""

from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class HttpMetrics:
    """Counts each answered request. Routes are names of ours and few; paths never become labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "gate_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self._seconds = Histogram(
            "gate_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        # Looking a child up by its labels costs more than counting, so the few there are stay at hand.
        self._count = cache(self._requests.labels)
        self._time = cache(self._seconds.labels)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._count(route, method if method in _METHODS else "other", status).inc()
        self._time(route).observe(seconds)
