"""The rehearsal as it is run: against a whole system of its own, and against gates that are not fit for it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from io import StringIO
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from rich.console import Console
from typer.testing import CliRunner, Result

from tests.whole_sale.conftest import Begin
from waitroom.cli import app
from waitroom.clock import Clock
from waitroom.errors import WaitroomError
from waitroom.rehearsal import crowd as crowd_module
from waitroom.rehearsal.crowd import Crowd
from waitroom.rehearsal.findings import Finding
from waitroom.rehearsal.progress import LINE_EVERY_MS, Progress
from waitroom.rehearsal.report import MOST_SHOWN, report
from waitroom.rehearsal.story import End, Evidence, Limits, Sight, Story

FAST = {
    "presale": True,
    "drawing_seconds": 1,
    "rate": 1200,
    "capacity": 10,
    "burst": 3,
    "visit_seconds": 10,
    "identity": True,
}
FOUND = {"kind": "found", "rate": "60.0", "capacity": "10", "burst": "1"}


async def _rehearse(*options: str) -> Result:
    """The command, in a thread: it runs a loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["rehearse", *options], env={"COLUMNS": "200"})


async def test_a_rehearsal_of_the_whole_system_passes(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty shoppers, from registering to being told that all is sold; a second one finds nothing to rehearse."""
    sale = await begin(shop=True, environ={"OPENS_IN": "6", "SHOP_STOCK": "5"}, **FAST)
    monkeypatch.setenv("WAITROOM_CONFIG", sale.environ["WAITROOM_CONFIG"])
    result = await _rehearse("--shoppers", "60", "--seed", "1", "--gate", sale.url)
    assert result.exit_code == 0, result.output
    assert f"60 shoppers for the room mi-launch at {sale.url}, --seed 1" in result.output
    assert re.search(r"units sold\s+│ 20 of 20", result.output)
    assert "VERDICT: every promise kept; 60 shoppers, the room is sold out" in result.output

    again = await _rehearse("--shoppers", "1", "--gate", sale.url)
    assert again.exit_code == 1
    advice = "start with a fresh WAITROOM_DATA and a longer OPENS_IN"
    assert again.stderr == f"waitroom: the room mi-launch is sold_out: {advice}\n"


async def test_a_rehearsal_does_the_work_that_a_room_asks_for(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its shoppers join, wait and buy as without it."""
    environ = {"OPENS_IN": "6", "SHOP_STOCK": "1"}
    sale = await begin(shop=True, environ=environ, **FAST, **{"friction.work": 50})
    monkeypatch.setenv("WAITROOM_CONFIG", sale.environ["WAITROOM_CONFIG"])
    result = await _rehearse("--shoppers", "12", "--seed", "1", "--gate", sale.url)
    assert result.exit_code == 0, result.output
    assert "work-needed" in result.output
    assert "VERDICT: every promise kept; 12 shoppers, the room is sold out" in result.output


async def test_an_unknown_room_is_said_in_one_line() -> None:
    """With the rooms that there are; nothing is asked of the gate."""
    result = await _rehearse("--room", "nowhere")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "waitroom: --room nowhere: the rooms in waitroom.toml are mi-launch\n"


async def test_without_a_gate_there_is_nothing_to_rehearse() -> None:
    """One line says where it was looked for."""
    result = await _rehearse("--gate", "http://127.0.0.1:1")
    assert result.exit_code == 1
    where = "http://127.0.0.1:1/waitroom/mi-launch"
    assert result.stderr == f"waitroom: no waiting room answers at {where}; is `make run` under way?\n"


# ---- Against a stand-in of the gate


class Gate:
    """A gate whose public documents are what a test says they are; nothing else answers."""

    def __init__(self) -> None:
        self.now = Clock().now_ms()
        self.state: dict[str, Any] = {
            "phase": "open",
            "joinable": True,
            "issued": 0,
            "called": 0,
            "presale_opens_at": None,
            "presale_closes_at": None,
            "opens_at": self.now - 1000,
            "entering_per_minute": 0,
            "sustained_per_minute": 60,
            "rate": 60,
            "show_rate": 1,
            "draw": None,
            "poll": {"near_s": 2, "far_s": 20},
        }
        self.documents: dict[str, Any] = {"log": {"entries": [FOUND], "next": None}}
        self.looks = 0
        self.phase_after: Callable[[int], str] = lambda _looks: str(self.state["phase"])
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Any request: a document, or 503."""
        name = request.path.rpartition("/")[2]
        if name == "state":
            self.looks += 1
            document = {**self.state, "phase": self.phase_after(self.looks), "now": self.now + self.looks}
            return web.json_response(document, headers={"ETag": f'"{self.looks}"'})
        if name in self.documents:
            return web.json_response(self.documents[name])
        return web.json_response({}, status=503)


@pytest.fixture
async def gate(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    """An open room that answers nothing but its state and its record, and a crowd that looks at it often."""
    monkeypatch.setattr(crowd_module, "LOOK_S", 0.01)
    monkeypatch.setattr(crowd_module, "STATE_AGE_S", 0)
    stand_in = Gate()

    async def answer(request: web.Request) -> web.Response:
        return await stand_in.answer(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server:
        stand_in.url = str(server.make_url("")).rstrip("/")
        yield stand_in


async def _play(gate: Gate, shoppers: int = 2, *, longest_s: float = 0) -> Evidence:
    progress = Progress(Console(file=StringIO()), shoppers)
    return await Crowd(gate.url, "mi", 1).play(shoppers, progress, longest_s=longest_s)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"phase": "closed"}, "the room mi is closed"),
        ({"phase": "paused"}, "the room mi is paused"),
        ({"opens_at": Clock().now_ms() + 72_000_000}, r"the room mi opens in 1[0-2]\d\d minutes; come later"),
    ],
)
async def test_a_room_that_cannot_be_rehearsed_is_said_so(
    gate: Gate, changes: dict[str, Any], told: str
) -> None:
    """Before anybody is sent out."""
    gate.state |= changes
    with pytest.raises(WaitroomError, match=told):
        await _play(gate)
    assert gate.looks == 1


async def test_the_rehearsal_ends_when_time_is_up(gate: Gate) -> None:
    """Nobody can register here; so long after the opening all stop, and the verdict says who was still there."""
    evidence = await _play(gate)
    assert [story.end for story in evidence.stories] == [End.STAYED] * 2
    assert evidence.answers["POST /account/register", 503, ""] == 2


async def test_in_a_sale_that_is_under_way_time_runs_from_now(gate: Gate) -> None:
    """However long ago it opened, a rehearsal lasts as long as it was told to."""
    gate.state["opens_at"] -= 3_600_000
    begun_at = Clock().now_ms()
    await _play(gate, longest_s=0.2)
    assert Clock().now_ms() - begun_at >= 200


async def test_the_door_is_held_to_the_limits_of_now(gate: Gate) -> None:
    """As the record tells them, whatever the settings here say: those at the founding, and every change since."""
    gate.documents["log"]["entries"] += [
        {"kind": "pace", "name": "rate", "from": "60.0", "to": "30.0"},
        {"kind": "pace", "name": "capacity", "from": "10", "to": ""},
    ]
    assert (await _play(gate)).limits == Limits(30, None, 1)


async def test_a_change_meanwhile_leaves_no_verdict(gate: Gate) -> None:
    """Neither the old limits nor the new ones hold for all that was seen."""
    entries = gate.documents["log"]["entries"]

    def change(looks: int) -> str:
        if looks == 2:
            entries.append({"kind": "pace", "name": "burst", "from": "1", "to": "5"})
        return "open"

    gate.phase_after = change
    with pytest.raises(WaitroomError, match="the pace of the room mi was changed meanwhile"):
        await _play(gate)


async def test_a_record_without_a_pace_is_said_so(gate: Gate) -> None:
    """A room that was founded before the record told it."""
    gate.documents["log"]["entries"] = [{"kind": "found"}]
    with pytest.raises(WaitroomError, match="the record of the room mi does not tell its pace"):
        await _play(gate)


async def test_after_the_end_everyone_has_time_to_look(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the room is over the crowd stays for a last look, and no longer."""
    monkeypatch.setattr(crowd_module, "LAST_LOOK_MS", 50)
    gate.phase_after = lambda looks: "open" if looks < 4 else "sold_out"
    evidence = await _play(gate, longest_s=3600)
    assert evidence.last["phase"] == "sold_out"


async def test_a_shopper_who_cannot_make_sense_of_an_answer_falls_over(gate: Gate) -> None:
    """What went wrong is kept for the verdict, and the others go on."""
    gate.documents |= {"register": {}, "sign-in": {"no": "account"}}
    evidence = await _play(gate, longest_s=3600)
    assert [(story.end, story.trouble) for story in evidence.stories] == [
        (End.FELL, "KeyError('account')")
    ] * 2


async def test_the_draw_is_asked_for_before_and_after(gate: Gate) -> None:
    """With the roll, if there is one; and the record is read page by page."""
    gate.state["draw"] = {"seed": None}
    gate.documents |= {"register": {}, "sign-in": {}, "draw": {"commit": "1"}}
    pages = iter(2 * [{"entries": [FOUND], "next": "1-0"}, {"entries": [{"kind": "call"}], "next": None}])
    gate.documents["log"] = None
    answer = gate.answer

    async def log(request: web.Request) -> web.Response:
        return web.json_response(next(pages)) if request.path.endswith("/log") else await answer(request)

    gate.answer = log  # type: ignore[method-assign]
    evidence = await _play(gate, longest_s=3600)
    assert evidence.draw_before == evidence.draw == {"commit": "1"}
    assert evidence.roll is None
    assert [entry["kind"] for entry in evidence.log] == ["found", "call"]


async def test_documents_that_cannot_be_had_are_said_so(gate: Gate) -> None:
    """Without them there is no verdict."""
    del gate.documents["log"]
    with pytest.raises(WaitroomError, match="does not tell its public documents"):
        await _play(gate)


async def test_a_state_that_is_lost_now_and_then_does_no_harm(gate: Gate) -> None:
    """The crowd goes by the one before."""
    gate.documents |= {"register": {}, "sign-in": {}}
    answer = gate.answer

    async def lossy(request: web.Request) -> web.Response:
        gate.looks += request.path.endswith("/state")
        lost = request.path.endswith("/state") and gate.looks == 3
        return web.Response(status=503) if lost else await answer(request)

    gate.answer = lossy  # type: ignore[method-assign]
    assert len((await _play(gate, longest_s=3600)).stories) == 2


# ---- What is shown


def _evidence() -> Evidence:
    story = Story(1, account="me", end=End.CLOSED)
    evidence = Evidence(stories=[story, Story(2)])
    evidence.sights = [Sight(0, {"now": 0, "phase": "sold_out", "opens_at": 9000, "called": 3})]
    evidence.answers.update({("GET state", 200, ""): 5, ("POST pass", 425, "not-called"): 2})
    evidence.answers["POST pass", 0, "cut on purpose"] = 1
    evidence.troubles["POST pass: TimeoutError"] = 4
    return evidence


def _shown(findings: list[Finding]) -> tuple[bool, str]:
    console = Console(file=StringIO(), width=120)
    kept = report(console, _evidence(), findings)
    assert isinstance(console.file, StringIO)
    return kept, console.file.getvalue()


def test_a_report_of_kept_promises_passes() -> None:
    """With what was seen, what was refused, and the last word."""
    kept, text = _shown([Finding("visits at once", "3 of 10")])
    assert kept
    assert re.search(r"visits at once +│ 3 of 10 +│ kept", text)
    assert "12 requests; refused, cut or failed among them:" in text
    assert "2 POST pass: 425 not-called" in text
    assert "1 POST pass: cut on purpose" in text
    assert "4 POST pass: TimeoutError" in text
    assert "GET state" not in text
    assert "VERDICT: every promise kept; 2 shoppers, the room is sold out" in text


def test_a_report_names_every_kind_of_violation() -> None:
    """One line each, and of many alike the first few."""
    many = tuple(f"violation {number}" for number in range(MOST_SHOWN + 2))
    kept, text = _shown(
        [Finding("good", "1"), Finding("bad", "2", ("it happened",)), Finding("worse", "3", many)]
    )
    assert not kept
    assert "VIOLATION  bad: it happened" in text
    assert text.count("VIOLATION  worse") == MOST_SHOWN
    assert "and 2 more of this kind" in text
    assert "VERDICT: 2 promises broken" in text


def test_a_report_counts_one_as_one() -> None:
    """And says nothing of refusals where there were none."""
    evidence = Evidence(stories=[Story(1)], sights=[Sight(0, {"now": 0, "phase": "open", "opens_at": 0})])
    evidence.answers["GET state", 200, ""] = 1
    console = Console(file=StringIO(), width=120)
    report(console, evidence, [Finding("bad", "1", ("it happened",))])
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert "\n1 request\n" in text
    assert "VERDICT: 1 promise broken; 1 shopper, the room is open" in text


async def test_a_broken_promise_is_a_failure(gate: Gate) -> None:
    """The exit status tells, so that a script notices: here nobody was let in."""
    gate.documents |= {"register": {}, "sign-in": {}}
    result = await _rehearse("--shoppers", "1", "--gate", gate.url)
    assert result.exit_code == 1
    assert "VIOLATION  everyone was told: nobody was let in" in result.output


def test_progress_is_lines_where_there_is_no_terminal() -> None:
    """One every few seconds, with the counts."""
    console = Console(file=StringIO(), width=120)
    stories, state = _evidence().stories, {"phase": "sold_out", "opens_at": 9000, "called": 3}
    with Progress(console, 2) as progress:
        for now in (1000, 2000, 1000 + LINE_EVERY_MS):
            progress.show(stories, state, now)
    assert isinstance(console.file, StringIO)
    first, second = console.file.getvalue().splitlines()
    assert first == (
        "sold out, opens in 8 s | 1 registered | 0 joined | 3 called | 0 let in | 0 bought | 1 gone"
    )
    assert "opens in 3 s" in second


def test_progress_is_a_bar_on_a_terminal() -> None:
    """And no lines."""
    console = Console(file=StringIO(), width=120, force_terminal=True)
    with Progress(console, 2) as progress:
        progress.show(_evidence().stories, {"phase": "open", "opens_at": 0, "called": 3}, 1000)
        progress.show(_evidence().stories, {"phase": "open", "opens_at": 0, "called": 3}, 9000)
    assert isinstance(console.file, StringIO)
    assert "1 gone" not in console.file.getvalue()
    assert "━" in console.file.getvalue()
