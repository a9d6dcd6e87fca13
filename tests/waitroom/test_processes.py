"""The processes of the Procfile: started together, stopped in order, none left over."""

import io
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Semaphore

import pytest
from honcho.printer import Message, Printer  # type: ignore[import-untyped]

from waitroom import processes
from waitroom.errors import BadSettings
from waitroom.processes import Processes, Say, read_procfile


def _python(code: str) -> str:
    return shlex.join([sys.executable, "-S", "-c", f"import signal; {code}"])


# Blocked and waited for, a signal can't come a moment too early.
OBEDIENT = _python(
    "term = {signal.SIGTERM}; signal.pthread_sigmask(signal.SIG_BLOCK, term); "
    "print('up', flush=True); signal.sigwait(term); print('stopping'); raise SystemExit(1)"
)
STUBBORN = _python("signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()")


class Recorder(Printer):  # type: ignore[misc]
    """A printer whose lines can be read, and that tells when a process is up."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.up = Semaphore(0)

    def write(self, message: Message) -> None:
        """Record a line."""
        super().write(message)
        if message.data == b"up\n":
            self.up.release()

    @property
    def lines(self) -> list[str]:
        """All lines so far, without the time."""
        return [line.partition(" ")[2] for line in self.output.getvalue().splitlines()]


@pytest.fixture
def recorder() -> Recorder:
    """A fresh recorder."""
    return Recorder()


def _when_up(recorder: Recorder, count: int, act: Callable[[], object]) -> Callable[[Say, Event], None]:
    def greet(_say: Say, _stopping: Event) -> None:
        for _ in range(count):
            recorder.up.acquire(timeout=10)
        act()

    return greet


def _run(recorder: Recorder, commands: dict[str, str], act: Callable[[], object]) -> str | None:
    return Processes(commands, os.environ, recorder).run(_when_up(recorder, len(commands), act))


def _send(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@contextmanager
def _ignored(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, signal.SIG_IGN)
    yield
    signal.signal(number, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_store_stops_last(recorder: Recorder, number: signal.Signals) -> None:
    """A wish to stop is no failure, whatever the statuses, and the store outlives those it serves."""
    commands = {"store": OBEDIENT, "gate": OBEDIENT, "shop": OBEDIENT}
    before = signal.signal(
        number, signal.default_int_handler
    )  # whoever runs the tests may ignore it, as nohup does
    try:
        assert _run(recorder, commands, _send(number)) is None
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    stopping = [line.split()[0] for line in recorder.lines if line.endswith("stopping")]
    assert sorted(stopping[:2]) == ["gate", "shop"]
    assert stopping[2:] == ["store"]


def test_a_process_that_does_not_stop_is_killed(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever for one that ignores the request; the store still stops after it."""
    monkeypatch.setattr(processes, "GRACE_S", 0.5)
    commands = {"store": OBEDIENT, "gate": STUBBORN}
    assert _run(recorder, commands, _send(signal.SIGTERM)) is None
    assert recorder.lines[-1] == "store | stopping"


def test_what_a_process_leaves_behind_ends_with_it(recorder: Recorder, tmp_path: Path) -> None:
    """A child that outlives its parent would keep the ports; its end shows in the pipe that it holds."""
    held = tmp_path / "held"
    os.mkfifo(held)
    pipe = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    _run(recorder, {"gate": f"sleep 60 >{held} 2>&1 & echo up"}, lambda: None)
    os.set_blocking(pipe, True)
    assert os.read(pipe, 1) == b""
    os.close(pipe)


@pytest.mark.parametrize(
    "ending, words", [("exit 3", "ended with status 3"), ("kill -9 $$", "was ended by SIGKILL")]
)
def test_one_that_ends_by_itself_stops_the_others(
    recorder: Recorder, tmp_path: Path, ending: str, words: str
) -> None:
    """One line says which it was and how it ended; the end of the others is not news."""
    go = tmp_path / "go"
    os.mkfifo(go)
    commands = {"store": OBEDIENT, "shop": OBEDIENT, "gate": f"echo up; read word <{go}; {ending}"}
    wrong = _run(recorder, commands, lambda: go.write_text("go\n"))
    assert wrong == f"gate {words}, so everything was stopped"
    assert sum(line.endswith("stopping") for line in recorder.lines) == 2


def test_something_can_be_said_between_the_lines(recorder: Recorder) -> None:
    """What the greeting says is printed as it is, without the name of a process; it learns of the end."""
    heard = []

    def greet(say: Say, stopping: Event) -> None:
        say("welcome")
        os.kill(os.getpid(), signal.SIGTERM)
        heard.append(stopping.wait(10))

    Processes({"gate": "exec sleep 60"}, os.environ, recorder).run(greet)
    assert recorder.output.getvalue() == "welcome\n"
    assert heard == [True]


def test_under_nohup_a_hang_up_stays_ignored(recorder: Recorder) -> None:
    """Whoever chose to outlive the terminal does."""
    found: list[object] = []
    with _ignored(signal.SIGHUP):
        _run(recorder, {"gate": "echo up"}, lambda: found.append(signal.getsignal(signal.SIGHUP)))
    assert found == [signal.SIG_IGN]


def test_a_process_gets_the_environment_and_no_more(recorder: Recorder) -> None:
    """What it is to know stands in the environment, not on a command line."""
    Processes({"gate": "echo got $WORD"}, {"WORD": "it"}, recorder).run(lambda _say, _stopping: None)
    assert recorder.lines == ["gate | got it"]


def test_a_procfile_names_processes_and_commands(tmp_path: Path) -> None:
    """Comments and empty lines are no processes."""
    procfile = tmp_path / "Procfile"
    procfile.write_text("# the gate\n\ngate: python -m gate\n")
    assert read_procfile(procfile) == {"gate": "python -m gate"}


def test_a_missing_procfile_is_named(tmp_path: Path) -> None:
    """The line says where to start from."""
    with pytest.raises(BadSettings, match=r"Procfile cannot be read: .*the project's folder"):
        read_procfile(tmp_path / "Procfile")
