"""A whole sale as real processes: store, gates and shop, each of which a test may kill and start again."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from waitroom.embedded import Store

HOST = "127.0.0.1"
ROOM = "mi-launch"
BASE = f"/waitroom/{ROOM}"
SECRET = "the secret of the whole sale"
STOP_S = 15

T = TypeVar("T")


async def eventually(ask: Callable[[], Awaitable[T | None]], *, within: float = 20, every: float = 0.05) -> T:
    """What ``ask`` answers once it is something; the only place in these tests that sleeps.

    It waits for another process, whose progress can only be asked for.
    """
    async with asyncio.timeout(within):
        while not (answer := await ask()):  # noqa: ASYNC110 - no event of another process can be awaited
            await asyncio.sleep(every)
    return answer


def free_ports(count: int) -> list[int]:
    """So many ports that nobody listens on."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


class Process:
    """One process of the sale.

    Args:
        command: the program and its arguments.
        environ: its environment. folder: where it writes its log.
        address: answers 200 once it is ready.
    """

    def __init__(self, command: list[str], environ: Mapping[str, str], log: Path, address: str) -> None:
        self._command = command
        self._environ = environ
        self._log = log
        self._address = address
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def said(self) -> str:
        """Everything it has printed."""
        return self._log.read_text() if self._log.exists() else ""

    async def start(self, session: aiohttp.ClientSession) -> None:
        """Start it; returns once it is ready."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - starting does not wait; our own command
                self._command, env=dict(self._environ), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

        async def is_ready() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.said
            with suppress(aiohttp.ClientError):
                async with session.get(self._address) as answer:
                    return answer.status == 200
            return False

        await eventually(is_ready)

    def kill(self) -> None:
        """End it without a warning; one that is not there is fine."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_S)

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self) -> int:
        """Its exit status, once it has ended."""
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, STOP_S)


class Gate(Process):
    """A gate of the sale, with its two listeners."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        port, operator_port = free_ports(2)
        self.url = f"http://{HOST}:{port}"
        self.operator_url = f"http://{HOST}:{operator_port}"
        super().__init__(
            [sys.executable, "-m", "gate"],
            {**environ, "GATE_PORT": str(port), "OPERATOR_PORT": str(operator_port)},
            folder / f"gate-{port}.log",
            f"{self.operator_url}/readyz",
        )


class WholeSale:
    """Store, gates and shop of one sale, on free ports, with a folder of their own.

    Args:
        folder: for data, settings and logs.
        session: for asking whether a process is ready.
        gates: how many gates.
        environ: what else the processes find in their environment.
        room: settings of the room, over those of a small sale that opens at once and without a presale.
    """

    def __init__(
        self,
        folder: Path,
        session: aiohttp.ClientSession,
        *,
        gates: int = 1,
        environ: Mapping[str, str] | None = None,
        **room: Any,  # noqa: ANN401 - a room's settings
    ) -> None:
        store_port, shop_port = free_ports(2)
        config = folder / "sale.toml"
        config.write_text(_toml({"title": "Mi Launch", "presale": False, "protect": ["/sale"]} | room))
        self.environ = {
            "PATH": os.environ["PATH"],
            "WAITROOM_CONFIG": str(config),
            "WAITROOM_DATA": str(folder),
            "WAITROOM_SECRETS": SECRET,
            "STORE_PORT": str(store_port),
            "SHOP_PORT": str(shop_port),
            "OPENS_IN": "0",
            **(environ or {}),
        }
        self.session = session
        self.store = Store(folder / "store", port=store_port)
        self.gates = [Gate(self.environ, folder) for _ in range(gates)]
        shop_url = f"http://{HOST}:{shop_port}"
        shop = [sys.executable, "-m", "shop_backend"]
        self.shop = Process(shop, self.environ, folder / "shop.log", f"{shop_url}/healthz")

    @property
    def url(self) -> str:
        """Where shoppers find the sale: the first gate."""
        return self.gates[0].url

    async def start(self, *, shop: bool = False) -> None:
        """Start everything; returns once it is ready."""
        await self.start_store()
        processes = [*self.gates, self.shop] if shop else self.gates
        await asyncio.gather(*(process.start(self.session) for process in processes))

    async def read(self, name: str, gate: int = 0) -> Any:  # noqa: ANN401 - a public document
        """One of the room's public documents, as a gate serves it."""
        async with self.session.get(f"{self.gates[gate].url}{BASE}/{name}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def start_store(self) -> None:
        """Start the store, for the first time or again."""
        await asyncio.to_thread(self.store.start)

    def end(self) -> None:
        """End all processes, and see that no gate met a fault of its own."""
        for process in (*self.gates, self.shop):
            process.kill()
        self.store.kill()
        for gate in self.gates:
            assert "Traceback" not in gate.said, gate.said


def _toml(room: Mapping[str, object]) -> str:
    # Texts, numbers, truths and lists of them are written in TOML as in JSON.
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in room.items()]
    return f"[rooms.{ROOM}]\n" + "".join(lines)
