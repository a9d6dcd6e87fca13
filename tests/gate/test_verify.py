"""I12, by ``waitroom verify``: a real sale holds, from its address and a folder; one changed byte anywhere does not."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from redis import Redis
from typer.testing import CliRunner, Result

from gate.gate import FRESH_MS
from tests.conftest import ROOM, entropy
from tests.gate.conftest import OpenFront
from tests.gate.front import Front, Shopper
from waitroom import beacon
from waitroom.cli import app
from waitroom.clock import ManualClock
from waitroom.room import Hold
from waitroom.verify.checks import check_all, write_places
from waitroom.verify.documents import Documents, Unreachable, fetch, find_room, read_folder
from waitroom.verify.findings import Finding, Verdict
from waitroom.verify.sale import Unreadable

ROUND = 657_413
VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "drand.json").read_text())
SIGNATURE = bytes.fromhex(next(each["signature"] for each in VECTORS["beacons"] if each["round"] == ROUND))
SIZE = 7


def quiet(_what: str, _done: int, _of: int) -> None:
    """Nobody looks."""


async def seal(front: Front) -> None:
    """A round of sealing."""
    await front.later(5_000)
    await front.room.waiting.seal_record()
    await front.later(0)


@dataclass
class Checked:
    """A sale that has happened, its documents and its shoppers' receipts."""

    front: Front
    documents: Documents
    receipts: list[dict[str, Any]]

    def check(self, receipt: Path | None = None, **changes: Any) -> list[Finding]:  # noqa: ANN401 - documents
        """What verify finds, with some documents changed."""
        documents = replace(self.documents, **changes)
        return list(check_all(documents, ROOM, receipt, quiet))

    def broken(self, receipt: Path | None = None, **changes: Any) -> set[str]:  # noqa: ANN401 - documents
        """The documents that something is wrong with."""
        found = self.check(receipt, **changes)
        return {finding.document for finding in found if finding.verdict is Verdict.BROKEN}

    def edited(self, **values: Any) -> bytes:  # noqa: ANN401 - any value a document may have
        """The draw's document with other values; None takes a value out that is ``...``."""
        document = json.loads(self.documents.draw or b"") | values
        return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()

    def log(self, change: Callable[[list[dict[str, str]]], object]) -> bytes:
        """The log with its entries changed."""
        document = json.loads(self.documents.log)
        change(document["entries"])
        return json.dumps(document).encode()


async def receipt_of(shopper: Shopper, number: int, front: Front) -> dict[str, Any]:
    """What the shopper's browser keeps."""
    joined = (await shopper.join(number)).document
    return {
        "entropy": entropy(number).hex(),
        "number": joined["number"],
        "ticket": joined["ticket"],
        "leaf": joined["leaf"],
        "room": ROOM,
        "commit_sha256": front.room.waiting.commitment.document_hash.hex(),
    }


async def hold_sale(front: Front, *, opens_in_s: int) -> Checked:
    """A presale, a draw, calls, entries, a late comer, a pause with its reason, seals all along."""
    shoppers = [front.shopper() for _ in range(SIZE + 1)]
    receipts = [await receipt_of(shopper, each, front) for each, shopper in enumerate(shoppers[:SIZE])]
    await seal(front)
    closes_at = front.room.waiting.room.schedule.presale_closes_at or 0
    await front.later(closes_at - front.clock.now_ms())
    await seal(front)
    if front.room.waiting.commitment.round is not None:
        await front.later(beacon.time_of(ROUND) - front.clock.now_ms())
        await front.room.waiting.deliver_beacon(SIGNATURE)
    await front.later(opens_in_s * 1000)
    receipts.append(await receipt_of(shoppers[-1], SIZE, front))
    for _ in range(3):
        await seal(front)
        for shopper in shoppers:
            await shopper.knock()
    await front.room.waiting.hold(Hold.PAUSE, by="olga", reason="die Kasse hält")
    await seal(front)
    await front.room.waiting.hold(Hold.RESUME, by="olga")
    await seal(front)
    await front.later(FRESH_MS)
    return Checked(front, await asyncio.to_thread(fetch, front.url, ROOM, quiet), receipts)


@pytest_asyncio.fixture
async def local(front_with: OpenFront) -> Checked:
    """A sale that was drawn in local mode."""
    return await hold_sale(await front_with(opens_in=60, presale=True), opens_in_s=60)


@pytest_asyncio.fixture
async def by_beacon(front_with: OpenFront, clock: ManualClock) -> Checked:
    """A sale that was drawn by drand's round 657413."""
    clock.at_ms = beacon.time_of(ROUND) - 115_000
    front = await front_with(opens_in=130, presale=True, draw="drand", drawing_seconds=75)
    return await hold_sale(front, opens_in_s=20)


@pytest.fixture(params=["local", "by_beacon"])
def checked(request: pytest.FixtureRequest) -> Checked:
    """Both."""
    sale: Checked = request.getfixturevalue(request.param)
    return sale


def sealed(log: bytes) -> int:
    """How many bytes of a log its last seal covers."""
    entries = json.loads(log)["entries"]
    to = [entry["to"] for entry in entries if entry["kind"] == "seal"][-1]
    following = entries[[entry["id"] for entry in entries].index(to) + 1]["id"]
    return log.rindex(b"{", 0, log.index(f'"id":"{following}"'.encode()))


async def invoke(*arguments: object) -> Result:
    """The command, while this loop goes on serving."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["verify", *map(str, arguments)])


# ---- What holds


async def test_a_real_sale_holds(checked: Checked) -> None:
    """Nothing is broken; every check has its line."""
    findings = checked.check()
    assert [finding for finding in findings if finding.verdict is Verdict.BROKEN] == []
    text = "\n".join(finding.text for finding in findings)
    for part in (
        "committed to before",
        "7 leaves have the published root",
        "places 0 to 7 were called in order",
    ):
        assert part in text
    assert ("signed by drand's quicknet" in text) == (checked.front.room.waiting.commitment.round is not None)


async def test_a_receipt_tells_how_its_ticket_fared(checked: Checked, tmp_path: Path) -> None:
    """Joined between two seals, drawn, called, entered, and the pauses in between with their reasons."""
    for number, receipt in enumerate(checked.receipts):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(receipt))
        findings = checked.check(file)
        assert {finding.verdict for finding in findings} <= {Verdict.HOLDS, Verdict.NOTED}
        told = "\n".join(finding.text for finding in findings if finding.document == "receipt")
        assert ("joined: since the room was founded and before" in told) == (number < SIZE)
        assert ("its leaf is line" in told) == (number < SIZE)
        assert re.search(r"number \d has place \d", told)
        assert re.search(r"called at 20\d\d-", told)
        assert re.search(r"entered at 20\d\d-", told)
        assert re.search(r"pause at 20.*: die Kasse hält", told)


async def test_the_places_are_those_the_gate_gave(local: Checked, tmp_path: Path) -> None:
    """All of them, as lines of number and place."""
    path = tmp_path / "places.csv"
    assert write_places(local.documents, ROOM, path) == SIZE
    result = local.front.room.waiting.draw
    assert result is not None
    assert path.read_text().split() == ["number,place", *(f"{n},{p}" for n, p in enumerate(result.places))]


async def test_the_command_works_online_and_offline(local: Checked, tmp_path: Path) -> None:
    """From the address a shopper sees, then from the folder it has downloaded; exit code 0."""
    receipt, folder = tmp_path / "receipt.json", tmp_path / "documents"
    receipt.write_text(json.dumps(local.receipts[0]))
    address = f"{local.front.url}/waitroom/{ROOM}"
    online = await invoke(address, "--receipt", receipt, "--download", folder)
    assert (online.exit_code, "Everything holds." in online.output) == (0, True), online.output
    assert read_folder(folder).draw == local.documents.draw
    offline = await invoke(folder, "--receipt", receipt, "--places", tmp_path / "places.csv")
    assert (offline.exit_code, offline.output.splitlines()[-1]) == (0, "Everything holds.")
    roll = bytearray(local.documents.roll or b"")
    roll[40] ^= 1
    (folder / "roll.bin").write_bytes(roll)
    wrong = await invoke(folder)
    assert (wrong.exit_code, wrong.output.splitlines()[-1]) == (1, "BROKEN: roll.bin")


async def test_a_room_without_a_presale_has_its_record_checked(front: Front, tmp_path: Path) -> None:
    """There is no draw, and every place is its number."""
    shopper = await front.in_line()
    await front.later(0, force=True)
    await shopper.knock()
    await seal(front)
    documents = await asyncio.to_thread(fetch, front.url, ROOM, quiet)
    documents.save(tmp_path)
    assert read_folder(tmp_path) == documents
    findings = list(check_all(documents, ROOM, None, quiet))
    assert {finding.verdict for finding in findings} == {Verdict.HOLDS, Verdict.NOTED}
    with pytest.raises(Unreadable, match="no places before it is drawn"):
        write_places(documents, ROOM, Path("nowhere"))
    other = {
        finding.document
        for finding in check_all(documents, "other", None, quiet)
        if finding.verdict == "broken"
    }
    assert other == {"log.json"}


async def test_a_sale_that_goes_on_is_checked_as_far_as_it_is(
    front_with: OpenFront, clock: ManualClock, tmp_path: Path
) -> None:
    """In the presale, after it, while the beacon is awaited: nothing is broken, and it says what is missing."""
    clock.at_ms = beacon.time_of(ROUND) - 115_000
    front = await front_with(opens_in=130, presale=True, draw="drand", drawing_seconds=75)
    receipt = tmp_path / "receipt.json"
    receipt.write_text(json.dumps(await receipt_of(front.shopper(), 1, front)))
    for ms, expected in ((0, "the presale is not over"), (55_000, "round 657413 is awaited")):
        await front.later(ms)
        documents = await asyncio.to_thread(fetch, front.url, ROOM, quiet)
        findings = list(check_all(documents, ROOM, receipt, quiet))
        assert not [each for each in findings if each.verdict is Verdict.BROKEN]
        text = "\n".join(each.text for each in findings)
        for part in (
            expected,
            "the record has not counted it yet",
            "its place is not drawn yet",
            "none called yet",
        ):
            assert part in text


# ---- What does not


async def test_any_changed_byte_of_the_draw_is_found(checked: Checked) -> None:
    """Whichever it is, and named."""
    whole = checked.documents.draw or b""
    bits = (1,) if b"drand" in whole else (1, 0x20)  # a signature takes its time to check
    for at in range(len(whole)):
        for bit in bits:
            edited = whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]
            assert "draw.json" in checked.broken(draw=edited), edited[max(0, at - 20) : at + 20]


async def test_any_changed_byte_of_the_roll_is_found(local: Checked) -> None:
    """Also a leaf too many, a leaf too few, half a leaf, and no roll at all."""
    roll = local.documents.roll or b""
    edits: list[bytes | None] = [
        roll[:at] + bytes([roll[at] ^ 1]) + roll[at + 1 :] for at in range(len(roll))
    ]
    for edited in [*edits, roll + bytes(32), roll[:-32], roll[:-1], None]:
        assert local.broken(roll=edited) == {"roll.bin"}


async def test_any_changed_byte_of_the_sealed_log_is_found(local: Checked) -> None:
    """Up to the last seal; a flipped bit, and a changed case."""
    log = local.documents.log
    for at in range(sealed(log)):
        for bit in (1, 0x20):
            edited = log[:at] + bytes([log[at] ^ bit]) + log[at + 1 :]
            assert "log.json" in local.broken(log=edited), edited[max(0, at - 20) : at + 20]


async def test_any_changed_byte_of_a_receipt_is_found(checked: Checked, tmp_path: Path) -> None:
    """A number, a name, or a digit of a hash."""
    file = tmp_path / "receipt.json"
    whole = json.dumps(checked.receipts[2], separators=(",", ":")).encode()
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert checked.broken(file) & {"receipt", "roll.bin"}, file.read_bytes()


async def test_an_edited_stretch_of_the_log_is_named(local: Checked) -> None:
    """The entries between two seals, and only those."""

    def edit(entries: list[dict[str, str]]) -> None:
        next(entry for entry in entries if entry["kind"] == "pause")["reason"] = "nothing"

    entries = json.loads(local.documents.log)["entries"]
    pause = next(entry["id"] for entry in entries if entry["kind"] == "pause")
    (found,) = [each for each in local.check(log=local.log(edit)) if each.verdict is Verdict.BROKEN]
    first, last = re.findall(r"\d+-\d+", found.text)[:2]
    ids = [entry["id"] for entry in entries]
    assert ids.index(first) <= ids.index(pause) <= ids.index(last)


LIES: dict[str, tuple[str, dict[str, str], str]] = {
    "called again": ("call", {"from": "0", "to": "3"}, "places 0 to 3 were called where"),
    "called ahead": ("call", {"from": "90", "to": "95"}, "places 90 to 95 were called where 8 was next"),
    "called backwards": ("call", {"from": "8", "to": "7"}, "places 8 to 7"),
    "entered twice": ("enter", {"place": "0"}, "place 0 entered twice"),
    "entered uncalled": ("enter", {"place": "99"}, "place 99 entered before it was called"),
    "founded again": ("found", {"commit": ""}, "founded a second time"),
    "another phase": ("phase", {"from": "closed", "to": "open"}, "the phase was"),
    "fewer tickets": ("seal", {"to": "last", "seal": "", "issued": "1", "called": "8"}, "fewer tickets"),
    "a counter that fell": ("heal", {"issued": "1", "called": "8", "size": ""}, "a counter fell"),
    "another count": (
        "seal",
        {"to": "last", "seal": "", "issued": "8", "called": "9"},
        "9 places were called",
    ),
    "frozen early": ("freeze", {"at": "0", "size": "7"}, "frozen before"),
    "another size": ("freeze", {"at": str(2**42), "size": "8"}, "size is '8'"),
    "another root": ("roll", {"at": "0", "size": "7", "root": "", "secret": ""}, "root is ''"),
    "another seed": ("draw", {"at": str(2**42), "seed": "00", "signature": ""}, "seed is '00'"),
    "no place": ("enter", {}, "a value is missing"),
}


@pytest.mark.parametrize("kind, values, expected", LIES.values(), ids=LIES.keys())
async def test_a_record_that_could_not_have_been_is_found(
    local: Checked, kind: str, values: dict[str, str], expected: str
) -> None:
    """Whoever writes the log can seal anything: what it tells must still make sense."""

    def lie(entries: list[dict[str, str]]) -> None:
        last = entries[-1]["id"]
        changed = {name: last if value == "last" else value for name, value in values.items()}
        entries.append({"id": f"{last}1", "at": "1", "kind": kind} | changed)

    findings = local.check(log=local.log(lie))
    assert [each for each in findings if each.verdict is Verdict.BROKEN and expected in each.text]


async def test_a_list_that_came_after_the_beacon_is_found(by_beacon: Checked) -> None:
    """And a draw that came before it."""
    times = {"roll": str(beacon.time_of(ROUND)), "draw": str(beacon.time_of(ROUND) - 1)}

    def move(entries: list[dict[str, str]]) -> None:
        for entry in entries:
            entry["at"] = times.get(entry["kind"], entry["at"])

    text = "\n".join(each.text for each in by_beacon.check(log=by_beacon.log(move)))
    assert "proves no more than a local draw" in text
    assert "drawn before the beacon's time" in text


LOGS: dict[str, Callable[[list[Any]], object]] = {
    "reordered": lambda entries: entries.insert(1, entries.pop(2)),
    "first entry gone": lambda entries: entries.pop(0),
    "an entry gone": lambda entries: entries.pop(3),
    "a stretch gone": lambda entries: entries.__delitem__(slice(3, 9)),
    "empty": lambda entries: entries.clear(),
    "no entry": lambda entries: entries.append("entry"),
    "a number": lambda entries: entries[0].update(at=7),
    "no time": lambda entries: entries[0].pop("at"),
    "no id": lambda entries: entries[0].update(id="first"),
}


@pytest.mark.parametrize("change", LOGS.values(), ids=LOGS.keys())
async def test_a_log_with_entries_gone_or_moved_is_found(
    local: Checked, change: Callable[[list[Any]], object]
) -> None:
    """Or with something else in it."""
    assert "log.json" in local.broken(log=local.log(change))


async def test_a_document_that_is_none_is_found(local: Checked, tmp_path: Path) -> None:
    """No JSON, no object, no list; a receipt that is not there."""
    for junk in (b"", b"[]", b"{}", b'{"entries": {}}'):
        assert local.broken(log=junk) == {"log.json"}
        assert local.broken(draw=junk) == {"draw.json"}
    receipt = tmp_path / "receipt.json"
    assert local.broken(receipt) == {"receipt"}
    for junk in (b"", b"[]", b"7", b'{"number": 1}'):
        receipt.write_bytes(junk)
        assert local.broken(receipt) == {"receipt"}


async def test_values_too_many_or_too_few_are_found(local: Checked) -> None:
    """The format has these and no others; the record witnesses which of two was edited."""
    assert local.broken(draw=local.edited(extra=1)) == {"draw.json"}
    assert local.broken(draw=local.edited(round_at=...)) == {"draw.json"}
    assert local.broken(draw=local.edited(root="00" * 32)) >= {"draw.json"}
    assert "roll.bin" not in local.broken(draw=local.edited(root="00" * 32))


async def test_another_chain_or_an_early_round_is_found(by_beacon: Checked) -> None:
    """Whoever chooses the chain or knows the round chooses the seed."""
    terms = json.loads(by_beacon.edited())
    for name, value, text in (
        ("chain", "00" * 32, "not drand's quicknet"),
        ("round", 42, "could be known before"),
    ):
        commit = json.loads(terms["commit"]) | {name: value}
        commit_text = json.dumps(commit, sort_keys=True, separators=(",", ":"))
        findings = by_beacon.check(draw=by_beacon.edited(commit=commit_text))
        assert [each for each in findings if each.verdict is Verdict.BROKEN and text in each.text]


async def test_a_receipt_of_another_sale_is_found(local: Checked, tmp_path: Path) -> None:
    """Another room, another commitment, a number that is none; a receipt of an older page has less to check."""
    file = tmp_path / "receipt.json"
    for change in ({"room": "other"}, {"commit_sha256": "00" * 32}, {"number": -1}):
        file.write_text(json.dumps(local.receipts[0] | change))
        assert local.broken(file) == {"receipt"}
    older = {
        name: value for name, value in local.receipts[0].items() if name not in {"room", "commit_sha256"}
    }
    file.write_text(json.dumps(older))
    assert local.broken(file) == set()


async def test_a_loss_is_told_and_its_zeros_are_found(
    front_with: OpenFront, redis: Redis, tmp_path: Path
) -> None:
    """A ticket whose leaf was lost is not on the roll: its holder sees it, and the record says why."""
    front = await front_with(opens_in=60, presale=True)
    receipts = [await receipt_of(front.shopper(), each, front) for each in range(4)]
    redis.set(front.room.waiting.keys.roll, bytes.fromhex(receipts[0]["leaf"]))
    await front.room.waiting.tick()
    await front.later(60_000)
    await front.later(FRESH_MS)
    documents = await asyncio.to_thread(fetch, front.url, ROOM, quiet)
    checked = Checked(front, documents, receipts)
    assert checked.broken() == set()
    assert [each for each in checked.check() if "had lost writes" in each.text]
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(receipts[3]))
    assert checked.broken(file) == {"roll.bin"}


# ---- What cannot be had


async def test_what_cannot_be_had_is_said_in_one_line(front: Front, tmp_path: Path) -> None:
    """No folder, no address, no gate, no room, a folder without a log; exit code 1."""
    (tmp_path / "log.json").mkdir()
    (tmp_path / "empty").mkdir()
    cases = {
        "nowhere": "neither a folder nor an http address",
        "ftp://shop.example": "neither a folder nor an http address",
        "http://127.0.0.1:9": "cannot be had",
        f"{front.url}/waitroom/none": "is not the public record",
        str(tmp_path): "cannot be read",
        str(tmp_path / "empty"): "holds no log.json",
    }
    for where, expected in cases.items():
        result = await invoke(where)
        assert (result.exit_code, expected in result.output) == (1, True), result.output


def test_an_address_may_name_the_room() -> None:
    """As the shopper sees it, or the gate's alone; also below a path."""
    assert find_room("https://shop.example/waitroom/tea?next=/", "mi") == ("https://shop.example", "tea")
    assert find_room("https://shop.example/waitroom/tea/draw", "mi") == ("https://shop.example", "tea")
    assert find_room("https://shop.example/eu", "mi") == ("https://shop.example/eu", "mi")


@pytest.mark.parametrize(
    "head, expected",
    [
        ("HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n", "answers 500 Broken"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "broke off after 2 of 9 bytes"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "is not the public record"),
        ("nonsense\r\n\r\n", "cannot be had"),
    ],
)
async def test_a_server_that_is_no_gate_is_told(head: str, expected: str) -> None:
    """Or that breaks off."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unreachable, match=expected):
            await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}", ROOM, quiet)
