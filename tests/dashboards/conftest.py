"""The metrics that exist, and a real Prometheus to read them."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from gate.http_metrics import HttpMetrics
from shop_backend.metrics import Metrics
from waitroom.metrics import LineMetrics

DASHBOARDS = Path(__file__).parents[2] / "dashboards"


@dataclass(frozen=True)
class Metric:
    """One metric as its program declares it."""

    name: str
    kind: str
    labels: tuple[str, ...]

    @property
    def series(self) -> set[str]:
        """The names of its series in Prometheus."""
        endings = ("_bucket", "_sum", "_count") if self.kind == "histogram" else ("",)
        return {self.name + ending for ending in endings}


def gate_metrics() -> list[Metric]:
    """What a gate declares."""
    registry = CollectorRegistry()
    LineMetrics(registry)
    HttpMetrics(registry)
    return _declared(registry)


def shop_metrics() -> list[Metric]:
    """What the shop declares."""
    return _declared(Metrics()._registry)


def _declared(registry: CollectorRegistry) -> list[Metric]:
    metrics = []
    collectors: list[Any] = list(registry._collector_to_names)
    for collector in collectors:
        if isinstance(collector, HttpMetrics):  # makes its metrics when it is asked
            declared = [(family.name, family.type, family._labelnames) for family in collector.collect()]
        else:
            declared = [(collector._name, collector._type, collector._labelnames)]
        metrics += [
            Metric(name + ("_total" if kind == "counter" else ""), kind, tuple(labels))
            for name, kind, labels in declared
        ]
    return metrics


def _program(name: str) -> str:
    found = shutil.which(name)
    if not found:
        if os.environ.get("CI"):
            pytest.fail(f"{name} must be installed where CI runs")
        pytest.skip(f"no {name} on this machine")
    return found


@pytest.fixture
def promtool() -> str:
    """Prometheus's own checker."""
    return _program("promtool")


@dataclass
class Prometheus:
    """A running server's HTTP API."""

    url: str
    session: aiohttp.ClientSession

    async def ask(self, path: str, **params: str) -> Any:  # noqa: ANN401 - JSON
        """The data of an answer; a refusal fails the test with Prometheus's own words."""
        async with self.session.get(f"{self.url}/api/v1/{path}", params=params) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{params}: {answer.get('error')}"
        assert not answer.get("warnings"), f"{params}: {answer['warnings']}"
        return answer["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an expression now."""
        result: list[dict[str, Any]] = (await self.ask("query", query=expression))["result"]
        return result


@asynccontextmanager
async def running_prometheus(config: Path, folder: Path) -> AsyncIterator[Prometheus]:
    """A Prometheus with this configuration and its data in ``folder``, on a port of 127.0.0.1 of its own choice."""
    command = [_program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder}"]
    server = await asyncio.create_subprocess_exec(
        *command, "--web.listen-address=127.0.0.1:0", "--log.level=info", stderr=asyncio.subprocess.PIPE
    )
    assert server.stderr is not None
    try:
        log = address = ""
        async for line in server.stderr:
            log += line.decode()
            if found := re.search(r'"Listening on" address=(\S+)', line.decode()):
                address = found[1]
            if b"Server is ready" in line:
                break
        assert address, log
        async with aiohttp.ClientSession() as session:
            yield Prometheus(f"http://{address}", session)
    finally:
        server.terminate()
        await server.communicate()
