"""Metrics are an interface: every one is documented, with its type and labels."""

import re
from pathlib import Path

from tests.dashboards.conftest import Metric, gate_metrics, shop_metrics

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def test_the_document_lists_exactly_the_metrics_that_exist() -> None:
    """Name, type and labels of each metric stand in ``docs/metrics.md``, in the programs' order, and no others."""
    listed = [
        Metric(name, kind, () if labels == "none" else tuple(labels.split(", ")))
        for name, kind, labels, _ in _ROW.findall(DOCUMENT.read_text())
    ]
    assert listed == gate_metrics() + shop_metrics()


def test_names_say_what_is_counted() -> None:
    """Counters end in ``_total``, times are in seconds, and all names tell which program they come from."""
    for metric in gate_metrics() + shop_metrics():
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert re.fullmatch(r"(waitroom|gate|shop)(_[a-z]+)+", metric.name)
        assert not metric.name.endswith(("_ms", "_milliseconds", "_percent"))
