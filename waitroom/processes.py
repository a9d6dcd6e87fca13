"""The processes of the Procfile: they start together, stop in order, and none outlives the others.

Honcho reads the Procfile, starts each process in a session of its own and relays its lines. Its own manager
stops all at once and calls a wish to stop a failure; here the store goes last, so that gate and shop can
finish what they hold.
"""

import queue
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread, Timer
from types import FrameType

from honcho.colour import get_colours  # type: ignore[import-untyped]
from honcho.compat import ProcessManager  # type: ignore[import-untyped]
from honcho.environ import parse_procfile  # type: ignore[import-untyped]
from honcho.printer import Message, Printer  # type: ignore[import-untyped]
from honcho.process import Process  # type: ignore[import-untyped]

from waitroom.errors import BadSettings

LAST = "store"
"""The process that the others lean on; it is stopped when they are gone."""

GRACE_S = 15.0
"""How long a process may take to stop before it is killed."""

# Python runs a signal's handler between two instructions; one that comes just before a wait does not end it.
_LOOK_S = 0.2

_SESSIONS = ProcessManager()

Say = Callable[[str], None]
"""Prints a text of its own between the lines of the processes."""


def read_procfile(path: Path) -> dict[str, str]:
    """Name and command of each process.

    Raises:
        BadSettings: when the file cannot be read.
    """
    try:
        return dict(parse_procfile(path.read_text()).processes)
    except OSError as error:
        raise BadSettings(
            f"{path} cannot be read: {error.strerror}; start from the project's folder"
        ) from None


class Processes:
    """A set of processes that lives and dies together.

    Everything that happens arrives as a message in one queue, read by one thread: the lines, the starts and
    the ends that honcho reports, the signals, the greeting, and the end of patience with one that is slow to
    stop.
    """

    def __init__(self, commands: Mapping[str, str], environ: Mapping[str, str], printer: Printer) -> None:
        self._printer = printer
        printer.width = max(map(len, commands))
        self._processes = [
            Process(command, name=name, colour=colour, env=dict(environ))
            for (name, command), colour in zip(commands.items(), get_colours(), strict=False)
        ]
        self._events: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._living = set(commands)
        self._pids: dict[str, int] = {}
        self._timers: dict[str, Timer] = {}
        self._stopping = Event()

    def run(self, greet: Callable[[Say, Event], None]) -> str | None:
        """Start all, and return when all have ended: what went wrong in one line, None after a wish to stop.

        ``greet`` runs meanwhile in a thread of its own; it gets the means to say something, and an event that
        tells it to give up.
        """
        wrong = None
        with _heard(self._events):
            for process in self._processes:
                Thread(target=process.run, args=(self._events,), daemon=True).start()
            greeter = Thread(target=greet, args=(self._say, self._stopping))
            greeter.start()
            while self._living:
                with suppress(queue.Empty):
                    wrong = self._take(self._events.get(timeout=_LOOK_S)) or wrong
        greeter.join()
        return wrong

    def _say(self, text: str) -> None:
        self._events.put(_message("say", data=text))

    def _take(self, message: Message) -> str | None:
        wrong = None
        match message.type:
            case "line":
                self._printer.write(message)
            case "say":
                print(message.data, file=self._printer.output, flush=True)
            case "start":
                self._pids[message.name] = message.data["pid"]
            case "stop":
                wrong = self._bury(message.name, message.data["returncode"])
                self._stopping.set()
            case "signal":
                self._stopping.set()
            case _:  # late
                _SESSIONS.kill(self._pids[message.name])
        if self._stopping.is_set():
            self._stop_next()
        return wrong

    def _bury(self, name: str, status: int) -> str | None:
        self._living.discard(name)
        _SESSIONS.kill(self._pids[name])  # whatever it may have left behind
        if timer := self._timers.pop(name, None):
            timer.cancel()
        return None if self._stopping.is_set() else f"{name} {_ended(status)}, so everything was stopped"

    def _stop_next(self) -> None:
        for name in self._living - {LAST} or self._living:
            if name in self._pids and name not in self._timers:
                _SESSIONS.terminate(self._pids[name])
                self._timers[name] = Timer(GRACE_S, self._events.put, [_message("late", name=name)])
                self._timers[name].start()


@contextmanager
def _heard(events: "queue.SimpleQueue[Message]") -> Iterator[None]:
    """While the block runs, a signal to stop becomes a message; under nohup, a hang-up stays ignored."""

    def tell(_number: int, _frame: FrameType | None) -> None:
        events.put(_message("signal"))

    stops = {signal.SIGINT, signal.SIGTERM}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        stops.add(signal.SIGHUP)
    before = {number: signal.signal(number, tell) for number in stops}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _message(kind: str, *, name: str | None = None, data: str | None = None) -> Message:
    return Message(type=kind, data=data, time=None, name=name, colour=None)


def _ended(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
