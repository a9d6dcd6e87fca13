"""What is checked before a sale is started, and what is said when it does not hold."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from waitroom.embedded import running_store
from waitroom.errors import BadSettings, StoreAway
from waitroom.preflight import check_ports, check_store
from waitroom.settings import Settings

VARIABLES = ["GATE_PORT", "OPERATOR_PORT", "SHOP_PORT", "STORE_PORT"]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def _settings(ports: dict[str, int], **others: str) -> Settings:
    return Settings.model_validate({name.lower(): port for name, port in ports.items()} | others)


def test_free_ports_pass(free_ports: list[int]) -> None:
    """The check leaves the ports as free as it found them."""
    settings = _settings(dict(zip(VARIABLES, free_ports, strict=True)))
    check_ports(settings)
    check_ports(settings)


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_taken_port_is_named_with_its_variable(variable: str, free_ports: list[int], taken: int) -> None:
    """One line says which port, why, and what to set."""
    ports = dict(zip(VARIABLES, free_ports, strict=True)) | {variable: taken}
    with pytest.raises(BadSettings, match=rf"^port {taken} of 127.0.0.1 .*in use; {variable} sets another$"):
        check_ports(_settings(ports))


def test_an_ipv6_host_is_looked_at_as_one(free_ports: list[int]) -> None:
    """Its ports are others than IPv4's."""
    settings = _settings(dict(zip(VARIABLES, free_ports, strict=True)), host="::1")
    check_ports(settings)
    with socket.socket(socket.AF_INET6) as listener:
        listener.bind(("::1", settings.gate_port))
        listener.listen()
        with pytest.raises(BadSettings, match=f"^port {settings.gate_port} of ::1 .*in use; GATE_PORT sets"):
            check_ports(settings)


def test_two_that_want_the_same_port_are_found_out(free_ports: list[int]) -> None:
    """The second one that wants it is named."""
    ports = dict(zip(VARIABLES, free_ports, strict=True))
    with pytest.raises(BadSettings, match="SHOP_PORT sets another"):
        check_ports(_settings(ports | {"SHOP_PORT": ports["GATE_PORT"]}))


def test_the_store_listens_on_this_machine_whatever_address_the_others_have(
    free_ports: list[int], taken: int
) -> None:
    """Its port is looked at where it will listen."""
    ports = dict(zip(VARIABLES, free_ports, strict=True)) | {"STORE_PORT": taken}
    with pytest.raises(BadSettings, match=rf"^port {taken} of 127.0.0.1 .*in use; STORE_PORT sets another$"):
        check_ports(_settings(ports, host="127.0.0.2"))


def test_ports_of_parts_that_run_elsewhere_do_not_matter(free_ports: list[int], taken: int) -> None:
    """With a store and a shop of one's own, theirs may be taken: by them."""
    ports = dict(zip(VARIABLES, [*free_ports[:2], taken, taken], strict=True))
    check_ports(_settings(ports, redis_url="redis://127.0.0.1", upstream="http://127.0.0.1"))


def test_the_store_that_comes_along_need_not_be_there_yet() -> None:
    """It is about to be started."""
    check_store(Settings())


def test_a_store_of_ones_own_is_found(tmp_path: Path, free_port: int) -> None:
    """On a port or on a unix socket."""
    with running_store(tmp_path / "store", port=free_port, unixsocket=tmp_path / "store.sock") as store:
        check_store(Settings(redis_url=store.url))
        check_store(Settings(redis_url=f"redis://:word@127.0.0.1:{free_port}/2"))


@pytest.mark.parametrize(
    "url", ["redis://me:hush@127.0.0.1:{port}/0", "unix:///nowhere/{port}", "redis://x:{port}9999"]
)
def test_a_missing_store_is_named_without_its_password(url: str, free_port: int) -> None:
    """The line names the address; the password in it stays out."""
    with pytest.raises(
        StoreAway, match=rf"no store answers at .*{free_port}.*, where REDIS_URL points"
    ) as away:
        check_store(Settings(redis_url=url.format(port=free_port)))
    assert "hush" not in str(away.value)
