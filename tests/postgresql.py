"""A real PostgreSQL server for tests and the benchmark."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def find_postgres() -> Path | None:
    """The newest server of this machine."""
    found = shutil.which("postgres") or max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), default=None)
    return Path(found) if found else None


@contextmanager
def running_postgresql(postgres: Path, *options: str) -> Iterator[str]:
    """Folder of the socket of a fresh server, whose user is ``shop`` and database ``postgres``."""
    # The server refuses to run as root.
    user: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="shop-pg-"))
    if user:
        shutil.chown(folder, "postgres", "postgres")
    data = str(folder / "data")
    make = f"-D {data} -U shop -A trust -E UTF8 --locale=C -N".split()
    subprocess.run(  # noqa: S603 - our own command
        [postgres.parent / "initdb", *make], check=True, stdout=subprocess.DEVNULL, cwd=folder, **user
    )
    settings = ["listen_addresses=", "max_connections=200", *options]
    server = subprocess.Popen(  # noqa: S603 - our own command
        [postgres, "-D", data, "-k", folder, *(part for each in settings for part in ("-c", each))],
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        **user,
    )
    try:
        assert server.stderr is not None
        for line in server.stderr:
            if "ready to accept connections" in line:
                break
        yield str(folder)
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate()
        shutil.rmtree(folder)
