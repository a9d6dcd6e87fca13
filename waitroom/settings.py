"""Settings: the environment over ``waitroom.toml``, read once into frozen objects.

Every error is one line that names the setting, its value and what would be right.
"""

import os
import secrets as random
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from waitroom.appearance import Colours, Language, Texts
from waitroom.errors import BadSettings
from waitroom.faults import explain, like
from waitroom.friction import NO_FRICTION, FrictionSettings
from waitroom.room import Pace, Room, Schedule
from waitroom.trouble import Threshold

CONFIG = Path("waitroom.toml")

DRAND_RELAYS = ("https://api.drand.sh", "https://api2.drand.sh", "https://api3.drand.sh")
"""drand's own public relays; a round is checked, so a relay need not be trusted."""

DRAND_SECONDS = 75
"""The least time to draw by beacon: its round comes a minute after the presale, then it must be fetched."""

STORE_HOST = "127.0.0.1"
"""Where the store that comes along listens, wherever the others do."""

# Environment variable -> setting. Everything else of a room is set in waitroom.toml.
ENVIRONMENT = {
    "GATE_PORT": "gate_port",
    "OPERATOR_PORT": "operator_port",
    "SHOP_PORT": "shop_port",
    "STORE_PORT": "store_port",
    "OPENS_IN": "opens_in",
    "REDIS_URL": "redis_url",
    "DATABASE_URL": "database_url",
    "WAITROOM_DATA": "data",
    "WAITROOM_UPSTREAM": "upstream",
    "WAITROOM_TRUSTED_PROXIES": "trusted_proxies",
    "WAITROOM_SECRETS": "secrets",
}
_LISTS = {"trusted_proxies", "secrets"}
_HIDDEN = {"secrets", "redis_url", "database_url"}

Port = Annotated[int, Field(ge=1, le=65535)]
# An IPv6 address with its brackets or without.
Host = Annotated[str, AfterValidator(lambda host: host.strip("[]"))]
RoomName = Annotated[
    str, like(r"[a-z0-9][a-z0-9-]{0,62}", "named by up to 63 small letters, digits and hyphens")
]
# In its canonical form: a prefix with escapes or dot segments would protect nothing.
SitePath = Annotated[
    str,
    like(
        r"/|(/[^\s\\?#%;/.][^\s\\?#%;/]*)+/?",
        "a path of the shop as it is served, such as /sale: from the root, without %, ?, #, ; and dot segments",
    ),
]
RelayAddress = Annotated[
    str,
    like(r"https?://[^\s?#]*[^\s?#/]", "an address without a slash at its end, such as https://api.drand.sh"),
]
StoreAddress = Annotated[
    str, like(r"(?s)(redis|rediss|unix)://.*", "an address such as redis://host:6379/0, rediss:// or unix://")
]
Upstream = Annotated[
    str, like(r"(https?://[^/\s]+)?", "an address without a path, such as http://shop.example:8080")
]
Secret = Annotated[SecretStr, Field(min_length=16)]


class RoomSettings(BaseModel):
    """One room of ``waitroom.toml``. Times need an offset; a rate is a number a minute.

    The schedule and the pace are where a room starts from: once it is founded in the store, the schedule
    is fixed and the pace is the operator's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(default="", max_length=200)
    notice: str = Field(default="", max_length=500)
    opens_at: AwareDatetime | None = None
    closes_at: AwareDatetime | None = None
    presale: bool = True
    presale_opens_at: AwareDatetime | None = None
    draw: Literal["local", "drand"] = "local"
    drand_relays: tuple[RelayAddress, ...] = DRAND_RELAYS
    drawing_seconds: float = Field(default=5, ge=1, le=86_400)
    rate: float = Field(default=60, ge=0.01, le=1_000_000)
    capacity: int | None = Field(default=None, ge=1, le=1_000_000)
    burst: int = Field(default=1, ge=1, le=10_000)
    visit_seconds: float = Field(default=600, ge=1, le=86_400)
    visit_longest_seconds: float | None = Field(default=None, ge=1, le=86_400)
    more_time_seconds: float = Field(default=0, ge=0, le=3_600)
    more_times: int = Field(default=1, ge=1, le=24)
    identity: bool = False
    once: bool = False
    protect: tuple[SitePath, ...] = ("/",)
    sign_in: SitePath = "/account/sign-in"
    stock: SitePath | None = None
    watch_shop: bool = True
    trouble_visitors: int = Field(default=5, ge=2, le=1_000)
    trouble_share: float = Field(default=0.5, gt=0, le=1)
    slow_seconds: float = Field(default=5, ge=0.1, le=30)
    friction: FrictionSettings = NO_FRICTION
    logo: Path | None = None
    colours: Colours = Colours()
    colours_dark: Colours = Colours()
    texts: dict[Language, Texts] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _times_in_order(self) -> "RoomSettings":
        if self.visit_longest_seconds is not None and self.visit_longest_seconds < self.visit_seconds:
            raise ValueError(
                f"visit_longest_seconds must be at least visit_seconds, which is {self.visit_seconds:g}"
            )
        if self.opens_at and self.closes_at and self.closes_at <= self.opens_at:
            raise ValueError(f"closes_at must be after opens_at, which is {self.opens_at.isoformat()}")
        if self.draw == "drand" and self.drawing_seconds < DRAND_SECONDS:
            raise ValueError(f"drawing_seconds must be at least {DRAND_SECONDS} where draw is drand")
        draw_at = self.opens_at and self.opens_at - timedelta(seconds=self.drawing_seconds)
        if self.presale_opens_at and draw_at and self.presale_opens_at >= draw_at:
            raise ValueError(
                "presale_opens_at must be before opens_at minus drawing_seconds, "
                f"which is {draw_at.isoformat()}"
            )
        return self

    def oddities(self) -> list[str]:
        """What an operator should read before a sale with this room."""
        said = []
        if "protect" not in self.model_fields_set:
            said.append("protect is not set, so every path of the shop needs this room's pass")
        if not self.protect:
            said.append("protect is empty, so nothing needs this room's pass")
        guards = [
            prefix for prefix in self.protect if f"{self.sign_in}/".startswith(prefix.rstrip("/") + "/")
        ]
        if self.identity and guards:
            said.append(
                f"sign_in lies under {guards[0]}, which needs a pass: nobody could sign in to get one"
            )
        return said

    def schedule(self, founded_at: int, opens_in: float) -> Schedule:
        """The schedule of a room founded at ``founded_at`` (epoch ms).

        Without ``opens_at`` it opens ``opens_in`` seconds later; a presale without a time of its own opens at
        once, and there is none where it would have to close before that.
        """
        opens_at = _epoch_ms(self.opens_at) if self.opens_at else founded_at + round(opens_in * 1000)
        closes_at = _epoch_ms(self.closes_at) if self.closes_at else None
        presale_closes_at = opens_at - round(self.drawing_seconds * 1000)
        presale_opens_at = _epoch_ms(self.presale_opens_at) if self.presale_opens_at else founded_at
        if not self.presale or presale_opens_at >= presale_closes_at:
            return Schedule(opens_at, closes_at=closes_at)
        return Schedule(opens_at, presale_opens_at, presale_closes_at, closes_at)

    def pace(self) -> Pace:
        """The pace a room starts with."""
        visit_ms = round(self.visit_seconds * 1000)
        longest = self.visit_longest_seconds
        longest_ms = visit_ms if longest is None else round(longest * 1000)
        more_ms = round(self.more_time_seconds * 1000)
        return Pace(self.rate, self.capacity, self.burst, visit_ms, longest_ms, more_ms, self.more_times)

    def room(self, name: str, schedule: Schedule, pace: Pace) -> Room:
        """The room with this name, as founded."""
        return Room(
            name=name,
            title=self.title or name,
            schedule=schedule,
            pace=pace,
            identity=self.identity,
            once=self.once,
            protect=self.protect,
            sign_in=self.sign_in,
            stock=self.stock or "",
            notice=self.notice,
            trouble=Threshold(self.trouble_visitors, self.trouble_share, self.slow_seconds),
        )


MI_LAUNCH = RoomSettings(
    title="Mi Store: the first sale in Europe and the USA",
    rate=120,
    capacity=40,
    burst=5,
    more_time_seconds=120,
    more_times=2,
    identity=True,
    protect=("/sale",),
    stock="/units",
    texts={
        "de": Texts(title="Mi Store: der erste Verkauf in Europa und den USA"),
        "fr": Texts(title="Mi Store\u00a0: la première vente en Europe et aux États-Unis"),
    },
)
"""The sale this is built for: it is the room when no file names another."""


class Settings(BaseModel):
    """Everything a process needs to know at start; secrets are masked when shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Host = "127.0.0.1"
    gate_port: Port = 8000
    operator_port: Port = 8001
    shop_port: Port = 8002
    store_port: Port = 6399
    redis_url: StoreAddress | None = None
    database_url: str | None = None
    data: Path = Path(".waitroom")
    opens_in: float = Field(default=60, ge=0, le=31_536_000)
    upstream: Upstream = ""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    secrets: tuple[Secret, ...] = ()
    templates: Path | None = None
    rooms: dict[RoomName, RoomSettings] = Field(default={"mi-launch": MI_LAUNCH}, min_length=1)

    @field_validator("rooms")
    @classmethod
    def _no_shared_prefix(cls, rooms: dict[str, RoomSettings]) -> dict[str, RoomSettings]:
        owners: dict[str, str] = {}
        for name, room in rooms.items():
            for prefix in room.protect:
                owner = owners.setdefault(prefix.rstrip("/").casefold(), name)
                if owner != name:
                    raise ValueError(f"the rooms {owner} and {name} both protect {prefix}")
        return rooms

    @property
    def store_url(self) -> str:
        """Address of the store: ``REDIS_URL``, or the embedded one's."""
        return self.redis_url or f"redis://{STORE_HOST}:{self.store_port}/0"

    @property
    def upstream_url(self) -> str:
        """Address of the shop behind the gate."""
        return self.upstream or self.address(self.shop_port)

    def address(self, port: int) -> str:
        """Address of something of ours that listens on ``port``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{port}"

    def oddities(self) -> list[str]:
        """What is allowed and may be meant, but surprises whoever did not mean it; a line each."""
        return [f"rooms.{name}: {oddity}" for name, room in self.rooms.items() for oddity in room.oddities()]


_KNOWN = {*Settings.model_fields, *RoomSettings.model_fields, *FrictionSettings.model_fields}


def load_settings(environ: Mapping[str, str] = os.environ, config: Path | None = None) -> Settings:
    """Read the settings from the file ``config`` (``WAITROOM_CONFIG`` or ``waitroom.toml``) and ``environ``.

    The default file may be missing; one that is named must be there.

    Raises:
        BadSettings: with one line that names what is wrong.
    """
    named = config or (Path(environ["WAITROOM_CONFIG"]) if environ.get("WAITROOM_CONFIG") else None)
    values = _read_file(named or CONFIG, must_exist=named is not None)
    variables = {field: variable for variable, field in ENVIRONMENT.items() if environ.get(variable)}
    for field, variable in variables.items():
        text = environ[variable]
        values[field] = _split(text) if field in _LISTS else text
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise BadSettings(explain(error, named or CONFIG, variables, _HIDDEN, _KNOWN)) from None


def load_secrets(settings: Settings) -> tuple[str, ...]:
    """The signing secrets, oldest first: from ``WAITROOM_SECRETS``, or the file ``<data>/secrets``.

    The file holds one secret a line, is readable by its owner only, and is made on first use; when
    several processes start at once they all end up with the same one.

    Raises:
        BadSettings: when the file is empty or cannot be used.
    """
    if settings.secrets:
        return tuple(secret.get_secret_value() for secret in settings.secrets)
    path = settings.data / "secrets"
    try:
        if not path.exists():
            _make_secret(path)
        secrets = tuple(path.read_text().split())
    except UnicodeDecodeError:
        secrets = ()
    except OSError as error:
        raise BadSettings(f"the secrets in {path} cannot be used: {error.strerror}") from None
    if not secrets or min(map(len, secrets)) < 16:
        raise BadSettings(f"{path} must hold one secret of at least 16 characters a line")
    return secrets


def _make_secret(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".secrets.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(random.token_urlsafe(32) + "\n")
    try:
        # A link fails where the name is taken, so that of two starters the first wins, whole.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _read_file(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text())
    except FileNotFoundError:
        if must_exist:
            raise BadSettings(f"{path} is not there; WAITROOM_CONFIG must name a settings file") from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}") from None
    if "secrets" in values:
        raise BadSettings(f"{path} must not hold secrets; they belong in WAITROOM_SECRETS or <data>/secrets")
    return values


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _epoch_ms(moment: AwareDatetime) -> int:
    return round(moment.timestamp() * 1000)
