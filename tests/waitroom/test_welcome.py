"""What an operator reads first: where everything is, the sign-in, and when the sale opens."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from waitroom import welcome
from waitroom.clock import ManualClock
from waitroom.settings import Settings
from waitroom.tickets import Tokens
from waitroom.welcome import SIGN_IN_MS, banner, sign_in_link, wait_until_ready

NOW = 1_432_033_140_000  # 19 May 2015, 12:59 in Berlin
CLOCK = ManualClock(NOW)
SECRETS = ("a secret of the test's",)


@contextmanager
def _answering(answers: dict[str, object]) -> Iterator[int]:
    """A server on a free port that knows these paths."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in answers else 503)
            self.end_headers()
            self.wfile.write(json.dumps(answers.get(self.path)).encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        serving = Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            serving.join()


def _never_said(text: str) -> None:
    pytest.fail(f"said {text}")


def test_ready_is_when_gate_and_shop_answer() -> None:
    """Both are asked, the gate on its operator port."""
    with _answering({"/readyz": {}}) as gate, _answering({"/healthz": {}}) as shop:
        assert wait_until_ready(Settings(operator_port=gate, shop_port=shop), _never_said, Event())


def test_a_shop_of_ones_own_is_not_asked(free_port: int) -> None:
    """Whether it is well is the gate's business."""
    with _answering({"/readyz": {}}) as gate:
        settings = Settings(operator_port=gate, shop_port=free_port, upstream="http://shop.example")
        assert wait_until_ready(settings, _never_said, Event())


def test_what_takes_long_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits learns for what; the wait ends with the wish to stop."""
    monkeypatch.setattr(welcome, "_LOOKS_BEFORE_NOTICE", 1)
    stopping, said = Event(), []

    def say(text: str) -> None:
        said.append(text)
        stopping.set()

    with _answering({}) as gate, _answering({"/healthz": {}}) as shop:
        assert not wait_until_ready(Settings(operator_port=gate, shop_port=shop), say, stopping)
    assert said == ["still waiting for: gate"]


def test_a_sign_in_link_is_the_operators_and_its_time_is_short() -> None:
    """Each link is another, good for ten minutes, on the operator's port alone."""
    link = sign_in_link(Settings(), SECRETS, CLOCK)
    assert link != sign_in_link(Settings(), SECRETS, CLOCK)
    address = urlsplit(link)
    assert (address.netloc, address.path) == ("127.0.0.1:8001", "/sign-in")
    [code] = parse_qs(address.query)["code"]
    assert Tokens(SECRETS).read_operator(code, "sign-in", NOW).expires_at == NOW + SIGN_IN_MS


@pytest.mark.parametrize(
    "phase, opens_in_s, words",
    [
        ("scheduled", 90_000, "not open yet; the sale opens at"),
        ("presale", 60, "the presale is open; the sale opens at"),
        ("presale", 59, "in 59 s\n"),
        ("presale", 60, "in 1 min 0 s\n"),
        ("scheduled", 12_000, "in 3 h 20 min\n"),
        ("scheduled", 187_260, "in 2 d 4 h\n"),
        ("drawing", 2, "the draw is under way; the sale opens at"),
        ("open", -1, "the sale is open\n"),
        ("paused", -60, "the sale is paused\n"),
        ("sold_out", -60, "sold out\n"),
        ("closed", 0, "closed\n"),
    ],
)
def test_the_banner_says_when_the_sale_opens(phase: str, opens_in_s: int, words: str) -> None:
    """In every phase it says how things are, and before the opening when that is."""
    state = {"phase": phase, "opens_at": NOW + opens_in_s * 1000}
    with _answering({"/waitroom/mi-launch/state": state}) as gate:
        text = banner(Settings(gate_port=gate), SECRETS, CLOCK).plain
    assert words in text


def test_the_banner_names_every_address(free_port: int) -> None:
    """Shop, waiting room, operator and metrics; a room whose state is not there yet is said to be so."""
    text = banner(Settings(gate_port=free_port), SECRETS, CLOCK).plain
    for address in (
        f"http://127.0.0.1:{free_port}/\n",
        f"http://127.0.0.1:{free_port}/waitroom/mi-launch\n",
        "http://127.0.0.1:8001/sign-in?code=",
        "http://127.0.0.1:8001/metrics\n",
        ".waitroom/",
    ):
        assert address in text
    assert "no state of this room yet" in text
    assert SECRETS[0] not in text
