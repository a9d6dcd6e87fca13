"""Scrape configuration, rules and dashboards: what they name exists, and a real Prometheus understands it."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from aiohttp.test_utils import TestServer
from redis import Redis

from gate.app import build_public_app
from shop_backend.app import build_app
from shop_backend.settings import ShopSettings, normalise_url
from tests.conftest import ROOM, SECRETS
from tests.dashboards.conftest import (
    DASHBOARDS,
    Prometheus,
    gate_metrics,
    running_prometheus,
    shop_metrics,
)
from tests.dashboards.promql import Selector, grouping_labels, selectors
from tests.gate.operator.conftest import open_desk
from waitroom.clock import Clock

CONFIG = DASHBOARDS / "prometheus.yml"
RULES = [DASHBOARDS / "rules.yml", DASHBOARDS / "alerts.yml"]
BOARDS = sorted((DASHBOARDS / "grafana").glob("*.json"))
BY_PROMETHEUS = {"job", "instance", "le"}
"""Labels that Prometheus adds, or that a histogram's buckets have."""


def _rules() -> list[dict[str, Any]]:
    return [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def _board(path: Path) -> dict[str, Any]:
    board: dict[str, Any] = json.loads(path.read_text())
    return board


def _expressions(board: dict[str, Any]) -> Iterator[str]:
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (annotation["expr"] for annotation in board["annotations"]["list"])


def _filled_in(expression: str) -> str:
    return expression.replace("$room", ROOM).replace("$__rate_interval", "20s")


ALL = [rule["expr"] for rule in _rules()] + [each for path in BOARDS for each in _expressions(_board(path))]


@pytest.mark.parametrize(
    "expression, metrics, groups",
    [
        ("up == 0", {"up": set()}, set()),
        ('sum by (a, b) (rate(x_total{c="d",e=~"f"}[1m])) / 2', {"x_total": {"c", "e"}}, {"a", "b"}),
        ("max(a offset 1m) unless on (i) b:c:d == 1", {"a": set(), "b:c:d": set()}, {"i"}),
        ("histogram_quantile(0.95, sum by (le) (h_bucket)) > 1e3", {"h_bucket": set()}, {"le"}),
    ],
)
def test_expressions_are_read_rightly(
    expression: str, metrics: dict[str, set[str]], groups: set[str]
) -> None:
    """The reader that the next tests trust finds the metrics and labels in an expression."""
    assert set(selectors(expression)) == {
        Selector(name, frozenset(labels)) for name, labels in metrics.items()
    }
    assert grouping_labels(expression) == groups


@pytest.mark.parametrize("expression", ALL)
def test_every_name_in_a_query_exists(expression: str) -> None:
    """Dashboards and rules name metrics and labels that gate, shop or a recording rule really have."""
    labels_of = {name: set(each.labels) for each in gate_metrics() + shop_metrics() for name in each.series}
    recorded = {rule["record"] for rule in _rules() if "record" in rule}
    known = set[str]().union(*labels_of.values()) | BY_PROMETHEUS
    for selector in selectors(expression):
        assert selector.metric in labels_of.keys() | recorded | {"up"}
        assert selector.labels <= labels_of.get(selector.metric, known) | BY_PROMETHEUS
    assert grouping_labels(expression) <= known


def test_every_alert_tells_what_to_do() -> None:
    """Whoever is woken reads what is wrong and what to do about it."""
    for alert in (rule for rule in _rules() if "alert" in rule):
        assert alert["labels"] == {"severity": "page"}
        assert all(len(alert["annotations"][name]) > 30 for name in ("summary", "description"))


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.name)
def test_a_dashboard_is_whole(path: Path) -> None:
    """Every panel has an id, a text, the chosen data source, and a place in the grid that no other panel covers."""
    board = _board(path)
    assert {variable["name"] for variable in board["templating"]["list"]} == {"datasource", "room"}
    assert board["id"] is None
    assert board["schemaVersion"] >= 39
    assert board["uid"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    covered: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & covered
        covered |= cells
        if panel["type"] != "row":
            _check_panel(panel)


def _check_panel(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"]
    names = [target["refId"] for target in panel["targets"]]
    assert len(names) == len(set(names)) > 0
    for each in (panel, *panel["targets"]):
        assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    legends = {target["legendFormat"] for target in panel["targets"]}
    assert {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]} <= legends or panel[
        "title"
    ] == "Phase"


@pytest.mark.parametrize(
    "command",
    [
        ["check", "config", CONFIG],
        ["check", "rules", "--lint-fatal", *RULES],
        ["test", "rules", Path(__file__).with_name("alerts_test.yml")],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_promtool_agrees(promtool: str, command: list[str | Path]) -> None:
    """Prometheus's own checker accepts the configuration and rules, and its rule tests pass."""
    done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr


@asynccontextmanager
async def _sale(redis: Redis, store_url: str, folder: Path) -> AsyncIterator[dict[str, str]]:
    """A gate and a shop that have seen a shopper: the addresses of their metrics, by the ports of the configuration."""
    database = normalise_url(f"sqlite:///{folder}/shop.db")
    redis.ping()
    async with (
        TestServer(build_app(ShopSettings("127.0.0.1", 0, database, SECRETS, ROOM), clock=Clock())) as shop,
        open_desk(store_url, folder, Clock()) as desk,
    ):
        desk.gate.settings = desk.gate.settings.model_copy(update={"upstream": str(shop.make_url(""))[:-1]})
        async with TestServer(build_public_app(desk.gate)) as public:
            for path in (f"/waitroom/{ROOM}/state", "/", "/catalogue"):
                await (await desk.session.get(public.make_url(path))).read()
            waiting = desk.gate.rooms[ROOM].waiting
            ticket = (await waiting.join(b"e" * 32)).ticket
            await waiting.tick(force=True)
            await waiting.knock(ticket)
            await waiting.tick()
            yield {"127.0.0.1:8001": desk.url.partition("//")[2], "127.0.0.1:8002": f"127.0.0.1:{shop.port}"}


def _config_for(addresses: dict[str, str], folder: Path) -> Path:
    """The configuration as it stands, but for where the programs are, and in a hurry."""
    text = CONFIG.read_text().replace("_interval: 5s", "_interval: 1s")
    for standard, actual in addresses.items():
        assert standard in text
        text = text.replace(standard, actual)
    for path in RULES:
        assert path.name in text
        text = text.replace(path.name, str(path))
    config = folder / "prometheus.yml"
    config.write_text(text)
    return config


async def _settled(prometheus: Prometheus) -> None:
    """Wait for what only Prometheus's own clock decides: that it has scraped, and evaluated the rules."""
    async with asyncio.timeout(30):
        while True:
            targets = (await prometheus.ask("targets"))["activeTargets"]
            scraped = all(target["health"] != "unknown" for target in targets)
            if scraped and await prometheus.query("room:waitroom_visits:max"):
                return
            await asyncio.sleep(0.1)


async def test_a_real_prometheus_reads_a_real_sale(redis: Redis, store_url: str, tmp_path: Path) -> None:
    """It scrapes gate and shop, evaluates every rule, answers every panel, and has no reason to wake anyone."""
    async with (
        _sale(redis, store_url, tmp_path) as addresses,
        running_prometheus(_config_for(addresses, tmp_path), tmp_path / "tsdb") as prometheus,
    ):
        await _settled(prometheus)
        targets = (await prometheus.ask("targets"))["activeTargets"]
        assert {target["labels"]["job"]: target["lastError"] for target in targets} == {
            "gate": "",
            "shop": "",
        }
        groups = (await prometheus.ask("rules"))["groups"]
        rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
        assert len(rules) == len(_rules())
        assert {rule.get("lastError", "") for rule in rules.values()} == {""}
        assert (await prometheus.ask("alerts"))["alerts"] == []
        for path in BOARDS:
            for expression in _expressions(_board(path)):
                await prometheus.query(_filled_in(expression))
        visits = await prometheus.query(_filled_in('room:waitroom_visits:max{room="$room"}'))
        assert [series["value"][1] for series in visits] == ["1"]
        names = await prometheus.ask("label/__name__/values")
        told = {name for each in gate_metrics() + shop_metrics() for name in each.series}
        assert {name for name in names if name.startswith(("waitroom", "gate_", "shop_"))} - told <= {
            name for name in names if name.endswith("_created")
        }
