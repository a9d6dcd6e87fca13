"""What must be true before a sale is started: said here in one line, rather than in three logs."""

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

from waitroom.errors import BadSettings, StoreAway
from waitroom.settings import STORE_HOST, Settings

_PATIENCE_S = 3


def check_ports(settings: Settings) -> None:
    """Check that every port that will be listened on is free, and no two are the same.

    Raises:
        BadSettings: naming the port, the reason and the variable.
    """
    ports = {
        "GATE_PORT": (settings.host, settings.gate_port),
        "OPERATOR_PORT": (settings.host, settings.operator_port),
    }
    if not settings.upstream:
        ports["SHOP_PORT"] = settings.host, settings.shop_port
    if not settings.redis_url:
        ports["STORE_PORT"] = STORE_HOST, settings.store_port
    with ExitStack() as held:
        for variable, (host, port) in ports.items():
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = held.enter_context(socket.socket(family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((host, port))
                listener.listen()
            except OSError as error:
                reason = f"port {port} of {host} cannot be used: {error.strerror}"
                raise BadSettings(f"{reason}; {variable} sets another") from None


def check_store(settings: Settings) -> None:
    """Check that something listens where ``REDIS_URL`` points; the store that comes along needs no check.

    Raises:
        StoreAway: naming the address without its password.
    """
    if not settings.redis_url:
        return
    url = urlsplit(settings.redis_url)
    try:
        if url.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(url.path)
        else:
            socket.create_connection((url.hostname, url.port or 6379), _PATIENCE_S).close()
    except (OSError, ValueError) as error:
        shown = url.netloc.rpartition("@")[2] or url.path
        raise StoreAway(f"no store answers at {shown}, where REDIS_URL points: {error}") from None
