"""What a shopper's browser does with our scripts, timed in Chromium; `lighthouse` judges the page they stand on."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Route, sync_playwright

from tests.bench.load import free_port, running
from waitroom.embedded import running_store

STATIC = Path(__file__).parents[2] / "gate" / "static"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LIGHTHOUSE = "lighthouse@13.5.0"
WANTED = 98
CATEGORIES = ("performance", "accessibility", "best-practices")

_TIME = """async ([number, size, seed]) => {
    const { shuffle } = await import("/shuffle.js");
    const times = [];
    for (let i = 0; i < 25; i++) {
        const start = performance.now();
        shuffle(number - i, size, seed);
        times.push(performance.now() - start);
    }
    return [times[0], times.sort((a, b) => a - b)[12]];
}"""


def place_ms(size: int) -> tuple[float, float]:
    """How long a browser takes for its own place in a draw: the first time, and the median of many."""

    def answer(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        if name:
            route.fulfill(body=(STATIC / name).read_text(), content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=FLAGS)
        page = browser.new_page()
        page.route("**/*", answer)
        page.goto("http://page.test/")
        first, median = page.evaluate(_TIME, [size - 1, size, "5a" * 32])
        browser.close()
    return first, median


def scores(folder: Path) -> Iterator[tuple[str, float]]:
    """Lighthouse's marks, from 0 to 100, for the waiting page of a running gate, seen on a phone."""
    with _waiting_page(folder) as address:
        command = [
            *("npx", "--yes", LIGHTHOUSE, address, "--quiet", "--output=json", "--form-factor=mobile"),
            f"--only-categories={','.join(CATEGORIES)}",
            f"--chrome-flags=--headless=new {' '.join(FLAGS)}",
        ]
        environ = os.environ | {"CHROME_PATH": _chromium() or ""}
        found = subprocess.run(command, check=True, capture_output=True, env=environ)  # noqa: S603 - a fixed command
    report = json.loads(found.stdout)
    for name in CATEGORIES:
        yield name, 100 * report["categories"][name]["score"]
        for audit in report["categories"][name]["auditRefs"]:
            entry = report["audits"][audit["id"]]
            if audit["weight"] and entry["score"] not in {None, 1}:
                yield f"  {entry['title']} ({entry.get('displayValue', '')})", 100 * entry["score"]


@contextmanager
def _waiting_page(folder: Path) -> Iterator[str]:
    """The address of the waiting page of a presale, on a gate of its own."""
    gate, operator = (free_port() for _ in range(2))
    opens_at = datetime.now(UTC) + timedelta(hours=2)
    (folder / "waitroom.toml").write_text(
        f'[rooms.drop]\ntitle = "The drop"\nopens_at = {opens_at.isoformat()}\n'
    )
    with running_store(folder / "store", unixsocket=folder / "store.sock") as store:
        environ = {
            "GATE_PORT": str(gate),
            "OPERATOR_PORT": str(operator),
            "REDIS_URL": store.url,
            "WAITROOM_DATA": str(folder),
            "WAITROOM_CONFIG": str(folder / "waitroom.toml"),
        }
        ready = f"http://127.0.0.1:{operator}/readyz"
        with running([sys.executable, "-m", "gate"], ready=ready, environ=environ):
            yield f"http://127.0.0.1:{gate}/waitroom/drop"


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


def main() -> int:
    """``make lighthouse``: print the marks; 1 if one of them is too low."""
    low = 0
    with tempfile.TemporaryDirectory(prefix="wr") as folder:
        for name, score in scores(Path(folder)):
            sys.stdout.write(f"{score:4.0f}  {name}\n")
            low += name in CATEGORIES and score < WANTED
    return int(low > 0)


if __name__ == "__main__":
    sys.exit(main())
