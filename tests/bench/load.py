"""Load by wrk, from a core of its own, bounded in time; and processes pinned to the other core."""

import os
import re
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

SERVER_CORE, LOAD_CORE = 0, min(1, (os.cpu_count() or 1) - 1)

_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_P50 = re.compile(r"50%\s+([\d.]+)(us|ms|s)\b")
_REQUESTS = re.compile(r"(\d+) requests in")
_FAILED = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_UNIT_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Target:
    """An address under load.

    Attributes:
        url: what is asked for.
        headers: sent with each request.
        script: a wrk script that makes the requests, in Lua.
    """

    url: str
    headers: Mapping[str, str] | None = None
    script: Path | None = None


@dataclass(frozen=True)
class Load:
    """What wrk measured: requests a second, the median latency in milliseconds, how many requests."""

    per_second: float
    p50_ms: float
    requests: int


def wrk(target: Target, *, seconds: float, connections: int = 64) -> Load:
    """Put an address under load for a time.

    Raises:
        RuntimeError: an answer was not 2xx or 3xx.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--latency", "--timeout", "10s"]
    for name, value in (target.headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    if target.script:
        command += ["-s", str(target.script)]
    done = subprocess.run(  # noqa: S603 - wrk with arguments of ours
        pinned([*command, target.url], LOAD_CORE), check=False, capture_output=True, text=True
    )
    report = done.stdout
    if done.returncode:
        raise RuntimeError(f"{target.url}: wrk says {done.stderr or report}")
    if failed := _FAILED.search(report):
        raise RuntimeError(f"{target.url}: {failed[1]} answers were errors\n{report}")
    p50, unit = _found(_P50, report).groups()
    return Load(
        per_second=float(_found(_RATE, report)[1]),
        p50_ms=float(p50) * _UNIT_MS[unit],
        requests=int(_found(_REQUESTS, report)[1]),
    )


def compare(
    targets: Mapping[str, Target], *, rounds: int, seconds: float, connections: int = 64
) -> dict[str, Load]:
    """Load each target in turn, round after round, so that a machine's moods meet all alike; medians."""
    loads: dict[str, list[Load]] = {name: [] for name in targets}
    for _ in range(rounds):
        for name, target in targets.items():
            loads[name].append(wrk(target, seconds=seconds, connections=connections))
    return {
        name: Load(
            statistics.median(each.per_second for each in measured),
            statistics.median(each.p50_ms for each in measured),
            sum(each.requests for each in measured),
        )
        for name, measured in loads.items()
    }


def pinned(command: Sequence[str], core: int) -> list[str]:
    """The command on one core, where the machine can do that."""
    return ["taskset", "-c", str(core), *command] if shutil.which("taskset") else list(command)


@contextmanager
def running(
    command: Sequence[str], *, ready: str, environ: Mapping[str, str], core: int = SERVER_CORE
) -> Iterator[subprocess.Popen[bytes]]:
    """A server on a core, from when ``ready`` answers until the block ends."""
    process = subprocess.Popen(  # noqa: S603 - servers of ours
        pinned(command, core), env={**os.environ, **environ}
    )
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise RuntimeError(f"{command} has ended")
            try:
                urlopen(ready, timeout=5).close()  # noqa: S310 - loopback
                break
            except (URLError, OSError):
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def rss_mib(pid: int) -> float:
    """Resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(_found(re.compile(r"VmRSS:\s+(\d+)"), status)[1]) / 1024


def _found(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.search(text)
    if found is None:
        raise RuntimeError(f"{pattern.pattern!r} is not in:\n{text}")
    return found
