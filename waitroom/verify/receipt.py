"""A shopper's receipt: that it is on the roll, which place it drew, and what the record says of that place."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from waitroom import draw
from waitroom.verify.findings import RECEIPT, ROLL, Finding, broken, holds, noted
from waitroom.verify.sale import Sale, Unreadable


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the browser keeps: the entropy it made, and what it was given for it. ``commit_sha256`` may be missing."""

    room: str
    number: int
    ticket: bytes
    entropy: bytes
    leaf: bytes
    commit_sha256: str


def read_receipt(path: Path) -> Receipt:
    """The receipt in a file.

    Raises:
        Unreadable: it is none.
    """
    try:
        return _receipt(**json.loads(path.read_bytes()))
    except OSError as error:
        raise Unreadable(RECEIPT, f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        expected = "a JSON object with number, ticket, entropy and leaf, the last three in hexadecimal"
        raise Unreadable(RECEIPT, f"{path} is no receipt: {expected}") from None


def _receipt(
    *, number: int, ticket: str, entropy: str, leaf: str, room: str = "", commit_sha256: str = ""
) -> Receipt:
    hashes = bytes.fromhex(ticket), bytes.fromhex(entropy), bytes.fromhex(leaf)
    return Receipt(str(room), int(number), *hashes, commit_sha256=str(commit_sha256))


def check_receipt(sale: Sale, receipt: Receipt) -> Iterator[Finding]:
    """The receipt's own values, and its line on the roll."""
    number = receipt.number
    if receipt.room not in {"", sale.room}:
        yield broken(RECEIPT, f"room: it is of the room {receipt.room}, not of {sale.room}")
    if receipt.commit_sha256 not in {"", sale.draw.get("commit_sha256", "")}:
        yield broken(
            RECEIPT, "commit_sha256: the room had committed to another document when this was given out"
        )
    if draw.leaf(receipt.ticket, receipt.entropy) != receipt.leaf:
        yield broken(RECEIPT, "leaf: it is not that of the ticket and the entropy")
    if number < 0:
        yield broken(RECEIPT, f"number: {number} is no number")
    elif sale.roll is None or number >= sale.size:
        yield noted(
            RECEIPT,
            f"number {number} is not on the roll: it joined after the presale, or the presale is not over",
        )
    elif sale.roll[32 * number :][:32] != receipt.leaf:
        yield broken(
            ROLL, f"line {number} is not this receipt's leaf: the ticket was taken off the list, or lost"
        )
    else:
        yield holds(RECEIPT, f"its leaf is line {number} of the roll")


def explain(sale: Sale, number: int) -> Iterator[Finding]:
    """How a ticket fared, as far as the public record knows; knocks are not recorded, nor who left."""
    yield noted(RECEIPT, f"joined: {_joined(sale, number)}")
    place = sale.place(number)
    if place is None:
        yield noted(RECEIPT, "its place is not drawn yet")
        return
    drawn = "drawn" if number < sale.size else "behind the presale, because it joined after it"
    yield noted(RECEIPT, f"number {number} has place {place + 1}, counted from one ({drawn})")
    calls = [each for each in sale.told("call") if int(each["from"]) <= place <= int(each["to"])]
    yield noted(
        RECEIPT, f"called at {_moment(calls[0]['at'])}" if calls else "not called, as far as the record goes"
    )
    entries = [each for each in sale.told("enter") if int(each["place"]) == place]
    yield noted(RECEIPT, f"entered at {_moment(entries[0]['enter_at'])}" if entries else "did not enter")
    for kind in ("pause", "resume", "sold_out", "restock", "close", "reopen"):
        for each in sale.told(kind):
            reason = f": {each['reason']}" if each.get("reason") else ""
            yield noted(RECEIPT, f"{kind.replace('_', ' ')} at {_moment(each['at'])}{reason}")


def _joined(sale: Sale, number: int) -> str:
    """Between two seals: the last that counts fewer tickets, and the first that counts this one."""
    seals = sale.told("seal")
    before = [each["at"] for each in seals if int(each["issued"]) <= number]
    after = [each["at"] for each in seals if int(each["issued"]) > number]
    earliest = f"after {_moment(before[-1])}" if before else "since the room was founded"
    return (
        f"{earliest} and before {_moment(after[0])}"
        if after
        else f"{earliest}; the record has not counted it yet"
    )


def _moment(at: str) -> str:
    return datetime.fromtimestamp(int(at) / 1000, UTC).isoformat(sep=" ", timespec="milliseconds")
