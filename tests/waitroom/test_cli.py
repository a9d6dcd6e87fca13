"""The command `waitroom`, run for real: the store, stand-ins for gate and shop, signals, and every error line."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis
from typer.testing import CliRunner, Result

from waitroom.cli import app
from waitroom.clock import Clock
from waitroom.embedded import running_store, server_binary
from waitroom.preflight import check_ports
from waitroom.processes import Processes, read_procfile
from waitroom.settings import ENVIRONMENT, RoomSettings, Settings, load_secrets, load_settings
from waitroom.tickets import Tokens

ROOT = Path(__file__).parents[2]
PORTS = ["GATE_PORT", "OPERATOR_PORT", "SHOP_PORT", "STORE_PORT"]

# Answers what a gate and a shop answer, on the ports it is given, once the store answers.
STAND_IN = """
import contextlib, http.server, json, os, signal, socket, sys, threading

def store_answers():
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", os.environ["STORE_PORT"])) as store:
        store.sendall(b"PING\\r\\n")
        return store.recv(5) == b"+PONG"

class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        found = json.loads(os.environ["ANSWERS"]).get(self.path)
        self.send_response(503 if found is None or not store_answers() else 200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *args):
        pass

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
for variable in sys.argv[1:]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ[variable])), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
signal.sigwait({signal.SIGTERM})
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, free_ports: list[int], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own to run in, with ports of its own, a Procfile, and stand-ins for gate and shop."""
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    (tmp_path / "Procfile").write_text(
        "store: exec waitroom store\n"
        "gate: exec python -S stand_in.py GATE_PORT OPERATOR_PORT\n"
        "shop: exec python -S stand_in.py SHOP_PORT\n"
    )
    for variable in ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)
    for variable, port in zip(PORTS, free_ports, strict=True):
        monkeypatch.setenv(variable, str(port))
    state = {"phase": "presale", "opens_at": Clock().now_ms() + 60_000}
    answers = {"/readyz": {}, "/healthz": {}, "/waitroom/mi-launch/state": state}
    monkeypatch.setenv("ANSWERS", json.dumps(answers))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def at_banner(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What to do once the banner was said, before the sale is stopped with Ctrl-C."""
    acts: list[Callable[[], object]] = []
    say = Processes._say

    def say_and_stop(processes: Processes, text: str) -> None:
        say(processes, text)
        try:
            for act in acts:
                act()
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Processes, "_say", say_and_stop)
    return acts


def _invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@contextmanager
def _running(environ: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`waitroom run` as a process of its own, and what it printed until its banner was complete."""
    command = [str(Path(sys.executable).parent / "waitroom"), "run"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env=os.environ | environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        lines: list[str] = []
        try:
            for line in process.stdout:
                lines.append(line)
                if "Ctrl-C" in line:
                    break
            yield process, lines
        finally:
            process.terminate()


def _store() -> Redis:
    return Redis.from_url(load_settings(os.environ).store_url, decode_responses=True)


@pytest.mark.usefixtures("at_banner")
def test_a_run_says_where_everything_is_and_ends_well(place: Path) -> None:
    """Addresses, the opening and the sign-in are printed, Ctrl-C is no failure, and no port stays taken."""
    result = _invoke("run")
    assert result.exit_code == 0, result.output
    settings = load_settings(os.environ)
    assert f"http://127.0.0.1:{settings.gate_port}/waitroom/mi-launch" in result.output
    assert "the presale is open; the sale opens at" in result.output
    [code] = re.findall(r"sign-in\?code=(\S+)", result.output)
    secrets = load_secrets(settings)
    assert Tokens(secrets).read_operator(code, "sign-in", Clock().now_ms())
    assert (place / ".waitroom" / "secrets").stat().st_mode & 0o777 == 0o600
    assert not any(secret in result.output for secret in secrets)
    assert result.output.endswith("stopped; the data is in .waitroom/\n")
    check_ports(settings)


def test_a_second_run_goes_on_where_the_first_stopped(at_banner: list[Callable[[], object]]) -> None:
    """What the store and the secrets held is there again."""
    at_banner.append(lambda: _store().set("place", "7"))
    _invoke("run")
    secrets = load_secrets(load_settings(os.environ))
    found: list[object] = []
    at_banner[:] = [lambda: found.append(_store().get("place"))]
    _invoke("run")
    assert found == ["7"]
    assert load_secrets(load_settings(os.environ)) == secrets


@pytest.mark.usefixtures("at_banner")
def test_parts_of_ones_own_are_not_started(
    tmp_path: Path, free_ports: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With REDIS_URL and WAITROOM_UPSTREAM the gate is all that runs here."""
    (tmp_path / "Procfile").write_text(
        "store: echo store of ours\nshop: echo shop of ours\n"
        "gate: echo gate of ours; exec python -S stand_in.py GATE_PORT OPERATOR_PORT\n"
    )
    with running_store(tmp_path / "theirs", port=free_ports[3]) as theirs:
        monkeypatch.setenv("REDIS_URL", theirs.url)
        monkeypatch.setenv("WAITROOM_UPSTREAM", "http://shop.example")
        result = _invoke("run")
    assert result.exit_code == 0
    assert [line.split("| ")[1] for line in result.output.splitlines() if "of ours" in line] == [
        "gate of ours"
    ]


def test_one_that_dies_ends_the_run(place: Path) -> None:
    """The exit status tells, one line says which it was, and the others are gone."""
    (place / "Procfile").write_text("store: exec waitroom store\ngate: exit 3\n")
    result = _invoke("run")
    assert result.exit_code == 1
    assert result.stderr == "waitroom: gate ended with status 3, so everything was stopped\n"
    check_ports(load_settings(os.environ))


def test_a_killed_store_leaves_nothing_behind() -> None:
    """The kernel's killer, or a hand that slips: the run says so and takes everything down."""
    with _running({}) as (process, _):
        pid = _store().info("server")["process_id"]
        os.kill(pid, signal.SIGKILL)
        assert process.stdout
        rest = process.stdout.read()
        assert process.wait(10) == 1
    assert rest.endswith("waitroom: store was ended by SIGKILL, so everything was stopped\n")
    check_ports(load_settings(os.environ))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_two_runs_do_not_disturb_each_other(place: Path, number: signal.Signals) -> None:
    """Other ports and another data folder are all it takes; when one ends the other goes on."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in PORTS]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        others = {name: str(probe.getsockname()[1]) for name, probe in zip(PORTS, probes, strict=True)}
    with _running({}), _running(others | {"WAITROOM_DATA": str(place / "other")}) as (other, lines):
        other.send_signal(number)
        assert other.stdout
        rest = other.stdout.read()
        assert other.wait(10) == 0
        assert "Traceback" not in "".join([*lines, rest])
        assert _store().ping()


@pytest.mark.parametrize(
    "environ, status, line",
    [
        ({"OPENS_IN": "soon"}, 2, r"waitroom: OPENS_IN = 'soon': .*\n"),
        (
            {"REDIS_URL": "unix:///nowhere/store.sock"},
            1,
            r"waitroom: no store answers at /nowhere/store.sock.*\n",
        ),
        ({"WAITROOM_CONFIG": "bad.toml"}, 2, r"waitroom: bad.toml is not valid TOML: .*\n"),
        ({"WAITROOM_CONFIG": "odd.toml"}, 2, r"waitroom: odd.toml: gates is no setting; .*\n"),
        ({"WAITROOM_DATA": "bad.toml"}, 2, r"waitroom: the secrets in bad.toml/secrets cannot be used: .*\n"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    place: Path, environ: dict[str, str], status: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting, the store, the file: the line names it, and nothing is started."""
    (place / "bad.toml").write_text("rooms = [")
    (place / "odd.toml").write_text("gates = 2")
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)
    result = _invoke("run")
    assert result.exit_code == status
    assert re.fullmatch(line, result.stderr), result.stderr
    assert result.stdout == ""


def test_a_taken_port_is_said_in_one_line() -> None:
    """The line names the port and the variable."""
    settings = load_settings(os.environ)
    with socket.create_server(("127.0.0.1", settings.operator_port)):
        result = _invoke("run")
    assert result.exit_code == 2
    assert re.fullmatch(
        rf"waitroom: port {settings.operator_port} of .* OPERATOR_PORT sets another\n", result.stderr
    )


def test_the_store_says_where_its_data_is(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the process turns into the server, which logs to a file from then on."""
    became = []
    monkeypatch.setattr(os, "execv", lambda _program, arguments: became.append(arguments))
    result = _invoke("store")
    port = load_settings(os.environ).store_port
    assert result.output == f"{server_binary().name} on port {port}, data and log in .waitroom/store\n"
    assert str(place / ".waitroom" / "store") in became[0]


def test_no_store_is_started_beside_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """With REDIS_URL the command refuses, rather than run a store that nobody uses."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1")
    result = _invoke("store")
    assert result.exit_code == 2
    assert result.stderr == "waitroom: REDIS_URL names the store to use, so none is started here\n"


def test_the_operator_gets_a_fresh_link() -> None:
    """It is signed with the secrets of this place."""
    with _running({}):
        result = _invoke("operator")
    assert result.exit_code == 0
    settings = load_settings(os.environ)
    address, _, code = result.output.strip().partition("?code=")
    assert address == f"http://127.0.0.1:{settings.operator_port}/sign-in"
    assert Tokens(load_secrets(settings)).read_operator(code, "sign-in", Clock().now_ms())


def test_without_a_gate_there_is_no_link(place: Path) -> None:
    """One line says what to give; no secrets are made that no gate knows."""
    result = _invoke("operator")
    assert (result.exit_code, result.stdout) == (1, "")
    where = f"http://127.0.0.1:{load_settings(os.environ).operator_port}"
    advice = "give the same OPERATOR_PORT and WAITROOM_DATA as to make run"
    assert result.stderr == f"waitroom: nothing answers at {where}; {advice}\n"
    assert not (place / ".waitroom").exists()


def test_the_file_that_comes_along_says_what_holds_without_it() -> None:
    """waitroom.toml names every setting and changes none."""
    text = (ROOT / "waitroom.toml").read_text()
    assert load_settings({}, ROOT / "waitroom.toml") == Settings()
    named = set(re.findall(r"^(?:# )?(\w+) = ", text, re.MULTILINE)) | set(re.findall(r"\b\w+_at\b", text))
    assert named == {*Settings.model_fields, *RoomSettings.model_fields} - {"rooms", "secrets"}


def test_the_procfile_starts_what_a_sale_needs() -> None:
    """The names are those that the commands and the order of stopping go by."""
    assert list(read_procfile(ROOT / "Procfile")) == ["store", "gate", "shop"]


@pytest.mark.parametrize("status", [0, 1])
def test_a_rehearsals_verdict_is_the_commands(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """So that a script can ask whether every promise was kept."""
    monkeypatch.setattr("waitroom.rehearsal.command.rehearse", lambda *_args, **_options: status == 0)
    assert _invoke("rehearse").exit_code == status
