"""Checks of the draw: everything that was published is computed again and must come out byte for byte."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from waitroom import beacon, draw
from waitroom.errors import BeaconInvalid
from waitroom.tree import BLOCK_BYTES, block_roots
from waitroom.verify.documents import Progress
from waitroom.verify.findings import DRAW, ROLL, Finding, broken, holds, noted
from waitroom.verify.sale import Sale

_STEP = 64 * BLOCK_BYTES


def check_draw(sale: Sale, progress: Progress) -> Iterator[Finding]:
    """Commitment, roll, beacon, seed, and that the document says nothing else."""
    published, terms = sale.draw, sale.terms
    if not published:
        yield noted(DRAW, "this room has no presale: nothing is drawn, every place is its number")
        return
    expected = _from_commitment(sale)
    if expected["commit"] != published["commit"]:
        yield broken(DRAW, "commit: the document is not in the frozen format")
    if published["size"] is None:
        yield noted(DRAW, "the presale is not over: only the commitment is public so far")
    else:
        yield from _check_secret(sale)
        root, finding = _check_roll(sale, progress)
        yield finding
        secret, random = bytes.fromhex(published["secret"]), draw.NO_BEACON
        expected |= {"size": published["size"], "secret": secret.hex(), "root": root.hex()}
        if terms["mode"] == "drand":
            random, finding = _check_beacon(sale)
            yield finding
        if published["seed"] is None:
            yield noted(DRAW, "it is not drawn yet")
        else:
            seed = draw.seed(published["commit"].encode(), secret, root, published["size"], random)
            expected |= {"seed": seed.hex(), "beacon": random.hex()}
            if terms["mode"] == "drand":
                expected["signature"] = bytes.fromhex(published["signature"]).hex()
    wrong = list(_differences(expected, published))
    yield from wrong
    if not wrong:
        yield holds(DRAW, "commit document, seed and every other value come out the same")


def _from_commitment(sale: Sale) -> dict[str, Any]:
    """The whole document as the commit document's terms make it, before anything else is known."""
    terms, by_drand = sale.terms, sale.terms["mode"] == "drand"
    chosen = draw.DrandRound(bytes.fromhex(terms["chain"]), terms["round"]) if by_drand else None
    commit = draw.commit_document(
        terms["room"],
        bytes.fromhex(terms["commitment"]),
        terms["presale_opens_at"],
        terms["presale_closes_at"],
        rounds=terms["rounds"],
        drand=chosen,
    )
    return {
        "v": 1,
        "room": terms["room"],
        "mode": terms["mode"],
        "rounds": terms["rounds"],
        "commit": commit.decode(),
        "commit_sha256": sha256(commit).hexdigest(),
        "commitment": terms["commitment"],
        "chain": terms.get("chain"),
        "round": terms.get("round"),
        "round_at": beacon.time_of(terms["round"]) if by_drand else None,
        **dict.fromkeys(("size", "root", "secret", "seed", "signature", "beacon")),
    }


def _check_secret(sale: Sale) -> Iterator[Finding]:
    secret = bytes.fromhex(sale.draw["secret"])
    if draw.commitment(secret).hex() == sale.terms["commitment"]:
        yield holds(DRAW, "the secret is the one committed to before the presale")
    else:
        yield broken(DRAW, "secret: it is not the one that was committed to")


def _check_roll(sale: Sale, progress: Progress) -> tuple[bytes, Finding]:
    """The root that counts; where roll and document differ, the record is the witness of which was edited."""
    published = bytes.fromhex(sale.draw["root"])
    if sale.roll is None:
        return published, broken(ROLL, "it is missing, though its root is published")
    roots, whole = bytearray(), len(sale.roll) - len(sale.roll) % 32
    for at in range(0, whole, _STEP):
        roots += block_roots(sale.roll[at : min(at + _STEP, whole)])
        progress("leaves", at // 32, whole // 32)
    root = draw.merkle_root(bytes(roots))
    right = root == published and len(sale.roll) == 32 * sale.size
    if right:
        return root, holds(ROLL, f"{sale.size} leaves have the published root")
    witness = {(entry.get("root"), entry.get("size")) for entry in sale.told("roll")}
    if (root.hex(), str(len(sale.roll) // 32)) in witness and len(sale.roll) == whole:
        return root, broken(DRAW, "root or size: they are not those of the roll and of the record")
    return published, broken(
        ROLL, f"its {len(sale.roll) / 32:g} leaves do not have the root of the {sale.size} published"
    )


def _check_beacon(sale: Sale) -> tuple[bytes, Finding]:
    number, closes_at = sale.terms["round"], sale.terms["presale_closes_at"]
    if bytes.fromhex(sale.terms["chain"]) != beacon.CHAIN:
        return draw.NO_BEACON, broken(DRAW, "chain: it is not drand's quicknet")
    if beacon.time_of(number) < closes_at + beacon.NOTICE_MS:
        return draw.NO_BEACON, broken(DRAW, f"round: {number} could be known before the list was")
    if sale.draw["signature"] is None:
        return draw.NO_BEACON, noted(DRAW, f"the beacon's round {number} is awaited")
    try:
        random = beacon.randomness(number, bytes.fromhex(sale.draw["signature"]))
    except BeaconInvalid:
        return draw.NO_BEACON, broken(DRAW, f"signature: it is not the beacon's of round {number}")
    return random, holds(DRAW, f"the beacon's round {number} is signed by drand's quicknet")


def _differences(expected: Mapping[str, Any], published: Mapping[str, Any]) -> Iterator[Finding]:
    for name in sorted(expected.keys() | published.keys()):
        if name not in expected:
            yield broken(DRAW, f"{name}: the format has no such value")
        elif name not in published:
            yield broken(DRAW, f"{name}: it is missing")
        elif json.dumps(expected[name]) != json.dumps(published[name]):
            yield broken(DRAW, f"{name}: it is {published[name]!r}, and must be {expected[name]!r}")
