"""The shop's settings: the waiting room's, and three of its own."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from waitroom.errors import BadSettings
from waitroom.settings import Settings, load_secrets, load_settings

PROTECTED = "/sale"
"""Everything that needs a pass lies under this path."""


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """What the shop needs to know at start.

    Attributes:
        room: the waiting room in front of the sale.
        pass_required: whether a pass is asked for (``WAITROOM_REQUIRED``, 1); 0 lets everyone in.
        stock: units of each product on the first start (``SHOP_STOCK``, 25).
        trusted: proxies in front of the gate, whose word on a shopper's address counts (``WAITROOM_TRUSTED_PROXIES``).
        hold_ms: how long units are kept for an unpaid order (``SHOP_HOLD_SECONDS``, 600).
    """

    host: str
    port: int
    database_url: URL
    secrets: tuple[str, ...] = field(repr=False)
    room: str
    pass_required: bool = True
    stock: int = 25
    hold_ms: int = 600_000
    trusted: tuple[IPv4Network | IPv6Network, ...] = ()


def load_shop_settings(environ: Mapping[str, str] = os.environ) -> ShopSettings:
    """Read the settings from the environment and ``waitroom.toml``.

    Raises:
        BadSettings: with one line that names what is wrong.
    """
    settings = load_settings(environ)
    stock = _whole(environ, "SHOP_STOCK", 25, range(1_000_001))
    hold_seconds = _whole(environ, "SHOP_HOLD_SECONDS", 600, range(1, 86_401))
    return ShopSettings(
        host=settings.host,
        port=settings.shop_port,
        database_url=_database_url(settings),
        secrets=load_secrets(settings),
        room=_room(settings),
        pass_required=bool(_whole(environ, "WAITROOM_REQUIRED", 1, range(2))),
        stock=stock,
        hold_ms=hold_seconds * 1000,
        trusted=settings.trusted_proxies,
    )


def normalise_url(text: str) -> URL:
    """A database address with the driver this shop uses, from any usual spelling of it.

    Raises:
        BadSettings: when it is no address of a PostgreSQL or SQLite database.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise BadSettings("DATABASE_URL = (hidden): must be like postgresql://user@host/name") from None
    match url.drivername.partition("+")[0]:
        case "sqlite":
            return url.set(drivername="sqlite+aiosqlite")
        case "postgres" | "postgresql":
            query = {"ssl" if name == "sslmode" else name: value for name, value in url.query.items()}
            return url.set(drivername="postgresql+asyncpg", query=query)
        case other:
            raise BadSettings(f"DATABASE_URL = {other}://…: must be a postgresql:// or sqlite:// address")


def _database_url(settings: Settings) -> URL:
    if settings.database_url:
        return normalise_url(settings.database_url)
    return URL.create("sqlite+aiosqlite", database=str(settings.data / "shop.db"))


def _room(settings: Settings) -> str:
    for name, room in settings.rooms.items():
        if any(prefix in {"/", PROTECTED} for prefix in room.protect):
            return name
    raise BadSettings(f"rooms: one of them must protect {PROTECTED}, where the shop sells")


def _whole(environ: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) in allowed):
        raise BadSettings(
            f"{name} = {text[:60]!r}: must be a whole number from {allowed[0]} to {allowed[-1]}"
        )
    return int(text)
