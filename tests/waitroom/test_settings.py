"""Settings: the environment over a file; every error names the setting, its value and what would be right."""

import stat
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.conftest import NOON
from waitroom.errors import BadSettings
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


BAD_VARIABLES = [
    ("GATE_PORT", "http", "GATE_PORT = 'http': input should be a valid integer"),
    ("GATE_PORT", "0", "GATE_PORT = '0': input should be greater than or equal to 1"),
    ("STORE_PORT", "65536", "STORE_PORT = '65536': input should be less than or equal to 65535"),
    ("OPENS_IN", "-1", "OPENS_IN = '-1': input should be greater than or equal to 0"),
    ("OPENS_IN", "soon", "OPENS_IN = 'soon': input should be a valid number"),
    ("REDIS_URL", "http://user:hunter2@x", r"REDIS_URL = \(hidden\): .*redis\|rediss\|unix"),
    (
        "WAITROOM_UPSTREAM",
        "shop:8002",
        r"WAITROOM_UPSTREAM = 'shop:8002': string should match pattern .*http",
    ),
    ("WAITROOM_UPSTREAM", "http://shop/path", "WAITROOM_UPSTREAM = 'http://shop/path': string should match"),
    ("WAITROOM_UPSTREAM", "x" * 99, f"WAITROOM_UPSTREAM = '{'x' * 59}…: string should match"),
    (
        "WAITROOM_TRUSTED_PROXIES",
        "10.0.0.0/8,nginx",
        "WAITROOM_TRUSTED_PROXIES = 'nginx': .*not a valid IPv4",
    ),
    ("WAITROOM_SECRETS", "hunter2", r"WAITROOM_SECRETS = \(hidden\): .* at least 16"),
]


@pytest.mark.parametrize("variable, value, wanted", BAD_VARIABLES)
def test_a_bad_variable_is_named_with_what_would_be_right(
    config: Path, variable: str, value: str, wanted: str
) -> None:
    """In one line, and without giving away what is secret."""
    with pytest.raises(BadSettings, match=f"^{wanted}") as caught:
        load(config, **{variable: value})
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


BAD_FILES = [
    ("gate_prot = 1", "gate_prot is no setting; see the settings in the README"),
    ("gate_port = 'http'", "GATE_PORT = 'http': input should be a valid integer"),
    (
        "secrets = ['x']",
        "waitroom.toml must not hold secrets; they belong in WAITROOM_SECRETS or <data>/secrets",
    ),
    ("gate_port = \nhost = 1", r"waitroom.toml is not valid TOML: .*line 1"),
    ("[rooms]", "rooms = {}: dictionary should have at least 1 item"),
    ("[rooms.Mi]", r"rooms.Mi.\[key\] = 'Mi': string should match pattern"),
    ("[rooms.mi]\nrat = 1", "rooms.mi.rat is no setting; see the settings in the README"),
    ("[rooms.mi]\nrate = 0", "rooms.mi.rate = 0: input should be greater than or equal to 0.01"),
    ("[rooms.mi]\nrate = nan", "rooms.mi.rate = nan: input should be"),
    ("[rooms.mi]\nrate = 1e9", "rooms.mi.rate = 1000000000.0: input should be less than or equal to 1000000"),
    ("[rooms.mi]\ncapacity = 0", "rooms.mi.capacity = 0: input should be greater than or equal to 1"),
    ("[rooms.mi]\ncapacity = 1.5", "rooms.mi.capacity = 1.5: input should be a valid integer"),
    ("[rooms.mi]\nburst = 0", "rooms.mi.burst = 0: input should be greater than or equal to 1"),
    (
        "[rooms.mi]\nvisit_seconds = 0.5",
        "rooms.mi.visit_seconds = 0.5: input should be greater than or equal",
    ),
    ("[rooms.mi]\nopens_at = 2015-05-19T12:00:00", "rooms.mi.opens_at = .*: input should have timezone info"),
    ("[rooms.mi]\nfriction = true", "rooms.mi.friction = True: input should be a valid dictionary"),
    (
        "[rooms.mi.friction]\nwork = -1",
        "rooms.mi.friction.work = -1: input should be greater than or equal to 0",
    ),
    ("[rooms.mi.friction]\nwrok = 1", "rooms.mi.friction.wrok is no setting; see the settings in the README"),
    ("[rooms.mi.friction]\nwait_seconds = 0", "rooms.mi.friction.wait_seconds = 0: input should be greater"),
    ("[rooms.mi.friction]\njoins_per_minute = 0", "rooms.mi.friction.joins_per_minute = 0: input should be"),
    (
        "[rooms.mi.friction]\njoins_burst = 0",
        "rooms.mi.friction.joins_burst = 0: input should be greater than",
    ),
    ("[rooms.mi]\ncolours = { ink = 'red' }", "rooms.mi.colours.ink = 'red': string should match pattern"),
    ("[rooms.mi.texts.Deutsch]", r"rooms.mi.texts.Deutsch.\[key\] = 'Deutsch': string should match pattern"),
    ("[rooms.mi.texts.de]\nLeave = 1", "rooms.mi.texts.de.Leave = 1: input should be a valid string"),
    ("[rooms.mi]\nprotect = ['sale']", r"rooms.mi.protect.0 = 'sale': string should match pattern '\^"),
    (
        "[rooms.mi]\nprotect = ['/x/../sale']",
        r"rooms.mi.protect.0 = '/x/../sale': string should match pattern",
    ),
    ("[rooms.mi]\nprotect = ['/%73ale']", r"rooms.mi.protect.0 = '/%73ale': string should match pattern"),
    ("[rooms.mi]\nsign_in = '//evil\\x'", "rooms.mi.sign_in = .*: string should match pattern"),
    (
        "[rooms.mi]\nvisit_longest_seconds = 60",
        "rooms.mi = {'visit_longest_seconds': 60}: visit_longest_seconds must be at least visit_seconds",
    ),
    (
        "[rooms.mi]\nopens_at = 2015-05-19T12:00:00Z\ncloses_at = 2015-05-19T14:00:00+02:00",
        "rooms.mi = .*: closes_at must be after opens_at",
    ),
    (
        "[rooms.mi]\nopens_at = 2015-05-19T12:00:00Z\npresale_opens_at = 2015-05-19T11:59:55Z",
        "rooms.mi = .*: presale_opens_at must be before opens_at minus drawing_seconds",
    ),
    (
        "[rooms.mi]\ndraw = 'drand'",
        "rooms.mi = {'draw': 'drand'}: drawing_seconds must be at least 75 where draw is drand",
    ),
    (
        "[rooms.mi]\ndrand_relays = ['drand.example']",
        r"rooms.mi.drand_relays.0 = 'drand.example': string should match pattern",
    ),
    (
        "[rooms.mi]\nprotect = ['/sale']\n[rooms.tea]\nprotect = ['/tea', '/SALE/']",
        "rooms = .*: the rooms mi and tea both protect /SALE/",
    ),
]


@pytest.mark.parametrize("text, wanted", BAD_FILES)
def test_a_bad_file_is_explained(config: Path, text: str, wanted: str) -> None:
    """The line names the setting as the file writes it, or the file."""
    with pytest.raises(BadSettings, match=f"(^|/){wanted}"):
        load(config, text)


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
