"""The shop's metrics, in a registry of their own.

* ``shop_orders_total{result}``: requests for an order: placed, repeated, or the name of the refusal.
* ``shop_payments_total{result}``: payments begun, and when buyers come back what became of them: charged, failed,
  begun (not known yet), refunded, refund_due; or the name of the refusal.
* ``shop_sign_ins_total{result}``: registered, repeated (the address has an account), signed-in, or
  the name of the refusal.
* ``shop_units{product,state}``: units that are free, held or sold.
* ``shop_request_seconds{route,method,status}``: how long answers take.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from shop_backend.stock import Stock

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters and gauges of one shop."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.orders = Counter("shop_orders", "Orders asked for.", ["result"], registry=self._registry)
        self.payments = Counter("shop_payments", "Payments asked for.", ["result"], registry=self._registry)
        self.sign_ins = Counter("shop_sign_ins", "Sign-ins asked for.", ["result"], registry=self._registry)
        self.units = Gauge("shop_units", "Units of a product.", ["product", "state"], registry=self._registry)
        self.request_seconds = Histogram(
            "shop_request_seconds",
            "Time to answer.",
            ["route", "method", "status"],
            buckets=BUCKETS,
            registry=self._registry,
        )

    def page(self, stock: Iterable[Stock]) -> bytes:
        """The page that Prometheus reads, with the stock of this moment."""
        for product in stock:
            self.units.labels(product.id, "free").set(product.free)
            self.units.labels(product.id, "held").set(product.held)
            self.units.labels(product.id, "sold").set(product.sold)
        return generate_latest(self._registry)
