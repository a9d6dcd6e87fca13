"""``python -m shop_backend`` as a process: it starts, sells on after a restart, stops, and fails clearly."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest


class Process:
    """A shop in a process of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment |= {"SHOP_PORT": str(port), "WAITROOM_DATA": str(folder), "WAITROOM_REQUIRED": "0"}
        command = [sys.executable, "-m", "shop_backend"]
        self.port = port
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)  # noqa: S603

    def get(self, path: str) -> str:
        """Read from it, as soon as it listens."""
        until = time.monotonic() + 20
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(OSError), urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
                return str(answer.read().decode())
        raise AssertionError("the shop did not start")

    def end(self, how: signal.Signals | None = None) -> tuple[int, str]:
        """Wait for its end; its exit status and what it said."""
        if how:
            self.process.send_signal(how)
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said


@pytest.fixture
def port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
    return free


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_shop_that_was_stopped_or_killed_starts_again(
    tmp_path: Path, port: int, how: signal.Signals
) -> None:
    """The asked end is clean and quick; after any end the next start goes on with the same database."""
    first = Process(tmp_path, port)
    assert json.loads(first.get("/healthz")) == {"status": "ok"}
    status, said = first.end(how)
    assert status == (-signal.SIGKILL if how is signal.SIGKILL else 0)
    assert "Traceback" not in said
    second = Process(tmp_path, port)
    assert 'shop_units{product="mi-band",state="free"} 25.0' in second.get("/metrics")
    assert second.end(signal.SIGTERM)[0] == 0


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    """It names the port and the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, said = Process(tmp_path, port).end()
    assert status == 1
    assert said.splitlines()[-1] == f"shop: port {port} is taken; set SHOP_PORT to a free one"
    assert "Traceback" not in said


def test_a_bad_setting_is_one_clear_line(tmp_path: Path) -> None:
    """And nothing else is printed."""
    status, said = Process(tmp_path, 0).end()
    assert (status, len(said.splitlines())) == (1, 1)
    assert said.startswith("shop: SHOP_PORT")
