"""Settings: the environment over a file; every error names the setting, its value and what would be right."""

import re
import stat
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.conftest import NOON
from waitroom.errors import BadSettings
from waitroom.friction import FrictionSettings
from waitroom.room import Pace, Schedule
from waitroom.settings import MI_LAUNCH, RoomSettings, Settings, load_secrets, load_settings

SECRET = "a secret of sixteen characters or more"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where a settings file may be."""
    return tmp_path / "waitroom.toml"


def load(config: Path, text: str = "", **environ: str) -> Settings:
    """The settings of a file with this text and these variables."""
    config.write_text(text)
    return load_settings(environ, config)


def test_without_anything_set_it_is_the_sale_this_is_built_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default file may be missing; all addresses are this machine's."""
    monkeypatch.chdir(tmp_path)
    settings = load_settings({})
    assert settings == Settings()
    assert settings.rooms == {"mi-launch": MI_LAUNCH}
    assert (settings.gate_port, settings.operator_port, settings.shop_port) == (8000, 8001, 8002)
    assert settings.store_url == "redis://127.0.0.1:6399/0"
    assert settings.upstream_url == "http://127.0.0.1:8002"


def test_the_shop_that_comes_along_is_asked_where_it_listens(config: Path) -> None:
    """At the host that gate, operator and shop share; the store stays on this machine."""
    settings = load(config, 'host = "192.0.2.7"')
    assert settings.upstream_url == "http://192.0.2.7:8002"
    assert settings.store_url == "redis://127.0.0.1:6399/0"


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_host_stands_in_brackets_in_addresses(config: Path, host: str) -> None:
    """However it was written."""
    settings = load(config, f'host = "{host}"')
    assert settings.host == "::1"
    assert settings.upstream_url == settings.address(8002) == "http://[::1]:8002"


def test_what_may_surprise_is_said() -> None:
    """A room that guards everything or nothing, and one that nobody could sign in to; else nothing."""
    rooms = {
        "all": RoomSettings(),
        "none": RoomSettings(protect=()),
        "locked": RoomSettings(protect=("/buy", "/account/"), identity=True),
        "mi": MI_LAUNCH,
        "near": RoomSettings(protect=("/account/sign",), identity=True),
    }
    assert Settings(rooms=rooms).oddities() == [
        "rooms.all: protect is not set, so every path of the shop needs this room's pass",
        "rooms.none: protect is empty, so nothing needs this room's pass",
        "rooms.locked: sign_in lies under /account/, which needs a pass: nobody could sign in to get one",
    ]


def test_the_environment_goes_over_the_file(config: Path) -> None:
    """What a variable does not set is taken from the file; an empty variable sets nothing."""
    text = 'gate_port = 9000\nshop_port = 9002\nopens_in = 5\n[rooms.tea]\ntitle = "Tea"\n'
    settings = load(config, text, GATE_PORT="9100", SHOP_PORT="", OPENS_IN="2.5")
    assert (settings.gate_port, settings.shop_port, settings.opens_in) == (9100, 9002, 2.5)
    assert list(settings.rooms) == ["tea"]


def test_every_variable_is_read(config: Path) -> None:
    """Lists are separated by commas, blanks around them do not matter."""
    settings = load(
        config,
        OPERATOR_PORT="1",
        STORE_PORT="2",
        REDIS_URL="rediss://store:6380/1",
        DATABASE_URL="postgresql://shop",
        WAITROOM_DATA="/var/lib/waitroom",
        WAITROOM_UPSTREAM="https://shop.example:8443",
        WAITROOM_TRUSTED_PROXIES="10.0.0.0/8, ::1,",
        WAITROOM_SECRETS=f"old {SECRET}, {SECRET}",
    )
    assert (settings.operator_port, settings.store_port) == (1, 2)
    assert settings.store_url == "rediss://store:6380/1"
    assert settings.database_url == "postgresql://shop"
    assert settings.data == Path("/var/lib/waitroom")
    assert settings.upstream_url == "https://shop.example:8443"
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert load_secrets(settings) == (f"old {SECRET}", SECRET)


def test_a_variable_may_name_the_file(config: Path) -> None:
    """WAITROOM_CONFIG is read where no file is given."""
    config.write_text("gate_port = 9000")
    assert load_settings({"WAITROOM_CONFIG": str(config)}).gate_port == 9000


WHOLE, AN_OFFSET = (
    "must be a whole number",
    "must be a time with its offset, such as 2015-05-19T13:00:00+02:00",
)
A_PATH = "must be a path of the shop as it is served, such as /sale: from the root"

BAD_VARIABLES = [
    ("GATE_PORT", "http", f"GATE_PORT = 'http': {WHOLE}"),
    ("GATE_PORT", "0", "GATE_PORT = '0': must be at least 1"),
    ("STORE_PORT", "65536", "STORE_PORT = '65536': must be at most 65535"),
    ("OPENS_IN", "-1", "OPENS_IN = '-1': must be at least 0"),
    ("OPENS_IN", "soon", "OPENS_IN = 'soon': must be a number"),
    ("REDIS_URL", "http://user:hunter2@x", "REDIS_URL = (hidden): must be an address such as redis://host"),
    ("WAITROOM_UPSTREAM", "shop:8002", "WAITROOM_UPSTREAM = 'shop:8002': must be an address without a path"),
    ("WAITROOM_UPSTREAM", "http://shop/path", "WAITROOM_UPSTREAM = 'http://shop/path': must be an address"),
    ("WAITROOM_UPSTREAM", "x" * 99, f"WAITROOM_UPSTREAM = '{'x' * 59}…: must be an address without"),
    (
        "WAITROOM_TRUSTED_PROXIES",
        "10.0.0.0/8,nginx",
        "WAITROOM_TRUSTED_PROXIES = 'nginx': must be a network or an address, such as 10.0.0.0/8",
    ),
    ("WAITROOM_SECRETS", "hunter2", "WAITROOM_SECRETS = (hidden): must have a length of at least 16"),
]


@pytest.mark.parametrize("variable, value, wanted", BAD_VARIABLES)
def test_a_bad_variable_is_named_with_what_would_be_right(
    config: Path, variable: str, value: str, wanted: str
) -> None:
    """In one line, and without giving away what is secret."""
    with pytest.raises(BadSettings, match=f"^{re.escape(wanted)}") as caught:
        load(config, **{variable: value})
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


BAD_FILES = [
    ("gate_prot = 1", ": gate_prot is no setting; gate_port is one"),
    ("money = 1", ": money is no setting; the project's waitroom.toml lists them"),
    ("gate_port = 'http'", f": gate_port = 'http': {WHOLE}"),
    ("secrets = ['x']", " must not hold secrets; they belong in WAITROOM_SECRETS or <data>/secrets"),
    ("gate_port = \nhost = 1", " is not valid TOML: Invalid value (at line 1, column 13)"),
    ("host = 1", ": host = 1: must be a text in quotes"),
    ("rooms = 1", ": rooms = 1: must be a table"),
    ("[rooms]", ": rooms: must have a length of at least 1"),
    ("[rooms.Mi]", ": rooms.Mi: must be named by up to 63 small letters, digits and hyphens"),
    ("[rooms.mi]\nrat = 1", ": rooms.mi.rat is no setting; rate is one"),
    ("[rooms.mi]\nrate = 0", ": rooms.mi.rate = 0: must be at least 0.01"),
    ("[rooms.mi]\nrate = nan", ": rooms.mi.rate = nan: must be at most 1000000"),
    ("[rooms.mi]\nrate = 1e9", ": rooms.mi.rate = 1000000000: must be at most 1000000"),
    ("[rooms.mi]\ncapacity = 1.5", f": rooms.mi.capacity = 1.5: {WHOLE}"),
    ("[rooms.mi]\npresale = 'yess'", ": rooms.mi.presale = 'yess': must be true or false"),
    ("[rooms.mi]\nidentity = 3.0", ": rooms.mi.identity = 3: must be true or false"),
    ("[rooms.mi]\ndraw = true", ": rooms.mi.draw = true: must be 'local' or 'drand'"),
    ("[rooms.mi]\nlogo = 1", ": rooms.mi.logo = 1: must be a path in quotes"),
    (
        f"[rooms.mi]\ntitle = '{'x' * 201}'",
        f": rooms.mi.title = '{'x' * 59}…: must be at most 200 characters long",
    ),
    ("[rooms.mi]\nopens_at = 2015-05-19T12:00:00", f": rooms.mi.opens_at = 2015-05-19T12:00:00: {AN_OFFSET}"),
    ("[rooms.mi]\nopens_at = 2015-05-19", f": rooms.mi.opens_at = 2015-05-19: {AN_OFFSET}"),
    ("[rooms.mi]\nopens_at = 'noon'", f": rooms.mi.opens_at = 'noon': {AN_OFFSET}"),
    ("[rooms.mi]\ncolours = { ink = 'red' }", ": rooms.mi.colours.ink = 'red': must be a colour as #rrggbb"),
    ("[rooms.mi.texts.Deutsch]", ": rooms.mi.texts.Deutsch: must be a language's code, such as de or pt-BR"),
    ("[rooms.mi.texts.de]\nLeave = 1", ": rooms.mi.texts.de.Leave = 1: must be a text in quotes"),
    ("[rooms.mi]\nprotect = '/sale'", ": rooms.mi.protect = '/sale': must be a list, such as"),
    ("[rooms.mi]\nprotect = ['sale']", f": rooms.mi.protect = 'sale': {A_PATH}"),
    ("[rooms.mi]\nprotect = ['/x/../sale']", f": rooms.mi.protect = '/x/../sale': {A_PATH}"),
    ("[rooms.mi]\nprotect = ['/%73ale']", f": rooms.mi.protect = '/%73ale': {A_PATH}"),
    ("[rooms.mi]\nsign_in = '//evil\\x'", f": rooms.mi.sign_in = '//evil\\\\x': {A_PATH}"),
    ("[rooms.mi]\nfriction = true", ": rooms.mi.friction = true: must be a table"),
    ("[rooms.mi.friction]\nwork = -1", ": rooms.mi.friction.work = -1: must be at least 0"),
    (
        "[rooms.mi.friction]\njoin_burst = 1",
        ": rooms.mi.friction.join_burst is no setting; joins_burst is one",
    ),
    ("[rooms.mi.friction]\nwait_seconds = 0", ": rooms.mi.friction.wait_seconds = 0: must be at least 1"),
    (
        "[rooms.mi.friction]\njoins_per_minute = 0",
        ": rooms.mi.friction.joins_per_minute = 0: must be at least 0.1",
    ),
    ("[rooms.mi.friction]\njoins_burst = 0", ": rooms.mi.friction.joins_burst = 0: must be at least 1"),
    (
        "[rooms.mi]\nvisit_longest_seconds = 60",
        ": rooms.mi: visit_longest_seconds must be at least visit_seconds, which is 600",
    ),
    (
        "[rooms.mi]\nopens_at = 2015-05-19T12:00:00Z\ncloses_at = 2015-05-19T14:00:00+02:00",
        ": rooms.mi: closes_at must be after opens_at, which is 2015-05-19T12:00:00+00:00",
    ),
    (
        "[rooms.mi]\nopens_at = 2015-05-19T12:00:00Z\npresale_opens_at = 2015-05-19T11:59:55Z",
        ": rooms.mi: presale_opens_at must be before opens_at minus drawing_seconds, which is 2015-05-19T11:59:55",
    ),
    ("[rooms.mi]\ndraw = 'drand'", ": rooms.mi: drawing_seconds must be at least 75 where draw is drand"),
    (
        "[rooms.mi]\ndrand_relays = ['drand.example']",
        ": rooms.mi.drand_relays = 'drand.example': must be an address",
    ),
    (
        "[rooms.mi]\nprotect = ['/sale']\n[rooms.tea]\nprotect = ['/tea', '/SALE/']",
        ": rooms: the rooms mi and tea both protect /SALE/",
    ),
]


@pytest.mark.parametrize("text, wanted", BAD_FILES)
def test_a_bad_file_is_explained(config: Path, text: str, wanted: str) -> None:
    """One line: the file, the setting as it stands there, the value, and what would be right."""
    with pytest.raises(BadSettings, match=f"^{re.escape(str(config) + wanted)}") as caught:
        load(config, text)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    """A typo must not mean the default sale."""
    with pytest.raises(BadSettings, match=r"nowhere.toml is not there; WAITROOM_CONFIG must name"):
        load_settings({"WAITROOM_CONFIG": str(tmp_path / "nowhere.toml")})


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """For example a folder, or bytes that are no text."""
    with pytest.raises(BadSettings, match="cannot be read: Is a directory"):
        load_settings({}, tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(BadSettings, match="is not valid TOML"):
        load_settings({}, binary)


def test_secrets_are_masked_when_shown(config: Path) -> None:
    """Neither repr nor str nor the JSON of the settings gives them away."""
    settings = load(config, WAITROOM_SECRETS=SECRET)
    assert SECRET not in repr(settings) + str(settings) + settings.model_dump_json()


# ---- A room's schedule and pace


def test_a_room_opens_a_while_after_it_is_founded() -> None:
    """The presale is open at once and closes in time for the draw."""
    schedule = RoomSettings().schedule(NOON, opens_in=60)
    assert schedule == Schedule(NOON + 60_000, NOON, NOON + 55_000)


def test_there_is_no_presale_where_it_would_have_no_time() -> None:
    """Or where none is wanted."""
    assert RoomSettings().schedule(NOON, opens_in=5) == Schedule(NOON + 5_000)
    assert RoomSettings(presale=False).schedule(NOON, opens_in=60) == Schedule(NOON + 60_000)


def test_a_schedule_may_be_given_in_full() -> None:
    """Whenever the room is founded."""
    opens_at = datetime.fromtimestamp(NOON / 1000, UTC)
    room = RoomSettings(
        opens_at=opens_at,
        closes_at=opens_at + timedelta(hours=1),
        presale_opens_at=opens_at - timedelta(days=1),
        drawing_seconds=60,
    )
    wanted = Schedule(NOON, NOON - 86_400_000, NOON - 60_000, NOON + 3_600_000)
    assert room.schedule(NOON - 999_999_999, opens_in=60) == wanted


def test_a_visit_slides_only_where_a_longest_is_set() -> None:
    """Else it has one length."""
    assert RoomSettings(visit_seconds=1.5).pace() == Pace(60, None, 1, 1_500, 1_500)
    sliding = RoomSettings(rate=0.5, capacity=3, burst=2, visit_seconds=60, visit_longest_seconds=90)
    assert sliding.pace() == Pace(0.5, 3, 2, 60_000, 90_000)


def test_a_room_without_a_title_is_called_by_its_name() -> None:
    """All else of the settings stands in the room."""
    settings = RoomSettings(identity=True, once=True, protect=("/sale",), sign_in="/in", notice="Hello")
    room = settings.room("mi", Schedule(NOON), settings.pace())
    assert (room.name, room.title, room.notice) == ("mi", "mi", "Hello")
    assert (room.identity, room.once, room.protect, room.sign_in) == (True, True, ("/sale",), "/in")


# ---- The signing secrets


def test_secrets_are_made_on_first_use_and_kept(tmp_path: Path) -> None:
    """Readable by their owner only; the next start finds the same."""
    settings = Settings(data=tmp_path / "new" / "data")
    secrets = load_secrets(settings)
    assert load_secrets(settings) == secrets
    (secret,) = secrets
    assert len(secret) >= 43
    file = settings.data / "secrets"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(settings.data.iterdir()) == [file]


def test_processes_that_start_at_once_end_up_with_the_same_secret(tmp_path: Path) -> None:
    """Of all starters the first wins, whole."""
    settings = Settings(data=tmp_path)
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        found = set(pool.map(load_secrets, [settings] * 8))
    assert len(found) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["secrets"]


def test_the_first_of_two_starters_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that saw no file, and finds one when it is ready with its own, takes that one."""
    file = tmp_path / "secrets"
    file.write_text(SECRET.replace(" ", "-"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", lambda _path: False)
        assert load_secrets(Settings(data=tmp_path)) == (SECRET.replace(" ", "-"),)
    assert list(tmp_path.iterdir()) == [file]


def test_several_secrets_are_read_oldest_first(tmp_path: Path) -> None:
    """One a line."""
    (tmp_path / "secrets").write_text(f"{'old' * 8}\n{'new' * 8}\n")
    assert load_secrets(Settings(data=tmp_path)) == ("old" * 8, "new" * 8)


@pytest.mark.parametrize("text", ["", "\n", "short\n", f"{'x' * 32}\nshort\n"])
def test_a_file_of_weak_secrets_is_refused(tmp_path: Path, text: str) -> None:
    """Better no start than tickets that can be guessed; the secret itself is not shown."""
    (tmp_path / "secrets").write_text(text)
    with pytest.raises(BadSettings, match=r"secrets must hold one secret of at least 16 characters a line$"):
        load_secrets(Settings(data=tmp_path))


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """For example because a file stands where the folder should be."""
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(
        BadSettings, match=f"the secrets in {blocked}/secrets cannot be used: (File exists|Not a directory)"
    ):
        load_secrets(Settings(data=blocked))


def test_secrets_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """Bytes from elsewhere make no traceback."""
    (tmp_path / "secrets").write_bytes(b"\xff" * 32)
    with pytest.raises(BadSettings, match="one secret of at least 16 characters a line"):
        load_secrets(Settings(data=tmp_path))


def test_the_projects_settings_file_names_every_setting() -> None:
    """With its default or an example, so that nothing has to be looked for in the code; secrets stay out of it."""
    text = (Path(__file__).parents[2] / "waitroom.toml").read_text()
    named = set(re.findall(r"\b(\w+)(?= = )", text))
    known = {*Settings.model_fields, *RoomSettings.model_fields, *FrictionSettings.model_fields}
    assert known - named == {"secrets", "rooms", "closes_at", "presale_opens_at"}
