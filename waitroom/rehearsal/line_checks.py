"""Checks of the line: numbers, the draw, places, and the order in which places are called."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from waitroom import beacon, draw
from waitroom.errors import BeaconInvalid
from waitroom.rehearsal.findings import Finding, counted, finding
from waitroom.rehearsal.story import Evidence, LetIn, Story, TooEarly


def numbers(evidence: Evidence) -> Finding:
    """Every number was given to one shopper, and none between the first and the last to nobody."""
    held = Counter(story.held.number for story in evidence.stories if story.held)
    issued = range(evidence.first_number, int(evidence.last["issued"]))

    def violations() -> Iterator[str]:
        for number, holders in sorted(held.items()):
            if holders > 1:
                yield f"number {number} was given to {holders} shoppers"
            if number not in issued:
                yield f"number {number} is not among the {issued.start} … {issued.stop - 1} that were issued"
        if lost := sorted(set(issued) - set(held)):
            missing = counted(len(lost), "number")
            yield f"{missing} went to nobody here, such as {lost[0]} (or did others join meanwhile?)"

    return finding("numbers unique and dense", f"{len(held)} of {len(issued)} issued", violations())


def draw_replays(evidence: Evidence) -> Finding:
    """The draw follows from its published parts, and each shopper's own leaf is on the roll."""
    published, roll = evidence.draw, evidence.roll
    if published is None:
        return Finding("the draw replays from its seed", "no presale")
    if roll is None or not published["seed"]:
        return Finding("the draw replays from its seed", "not drawn", ("the sale ended without a draw",))
    size = int(published["size"])
    own = [story for story in evidence.stories if story.held and story.held.number < size]

    def violations() -> Iterator[str]:
        yield from _false_parts(published, roll)
        before = evidence.draw_before
        if before and (before["commit"], before["commitment"]) != (
            published["commit"],
            published["commitment"],
        ):
            yield "the commitment was changed after the presale began"
        for story in own:
            if story.held and roll[32 * story.held.number :][:32] != story.held.leaf:
                yield f"shopper {story.name}: the leaf of number {story.held.number} is not on the roll"

    seen = f"{size} tickets, {len(own)} own leaves on the roll"
    return finding("the draw replays from its seed", seen, violations())


def _false_parts(published: Mapping[str, Any], roll: bytes) -> Iterator[str]:
    """What of the published draw does not follow from the rest of it."""
    parts = {name: bytes.fromhex(published[name]) for name in ("commitment", "secret", "root", "seed")}
    commit, size = published["commit"].encode(), published["size"]
    if draw.commitment(parts["secret"]) != parts["commitment"]:
        yield "the secret is not the one that was committed to"
    terms, random = json.loads(commit), draw.NO_BEACON
    if terms["commitment"] != published["commitment"]:
        yield "the commit document names another commitment"
    if len(roll) != 32 * size or draw.merkle_root(roll) != parts["root"]:
        yield f"the roll of {len(roll) / 32:g} leaves does not have the root that was published for {size}"
    if terms["mode"] == "drand":
        try:
            random = beacon.randomness(terms["round"], bytes.fromhex(published["signature"] or ""))
        except BeaconInvalid:
            yield f"the signature is not the beacon's of round {terms['round']}"
    if draw.seed(commit, parts["secret"], parts["root"], size, random) != parts["seed"]:
        yield "the seed does not follow from commitment, secret, root, size and beacon"


def places(evidence: Evidence) -> Finding:
    """Everyone was told the place that follows from the seed, or their number, and never another."""
    published = evidence.draw or {}
    size = published.get("size") or 0
    drawn = draw.places(size, bytes.fromhex(published["seed"])) if published.get("seed") else None
    told = [story for story in evidence.stories if story.places]
    taken = Counter(story.places[-1] for story in told)

    def violations() -> Iterator[str]:
        for place, holders in sorted(taken.items()):
            if holders > 1:
                yield f"place {place} was given to {holders} shoppers"
        for story in told:
            if len(set(story.places)) > 1:
                yield f"shopper {story.name}: the place changed, from {story.places[0]} to {story.places[-1]}"
            number = story.held.number if story.held else -1
            due = int(drawn[number]) if drawn is not None and 0 <= number < size else number
            if story.places[-1] != due:
                yield f"shopper {story.name}: number {number} got place {story.places[-1]}, not {due}"

    seen = f"{len(told)} places, {sum(place < size for place in taken)} of {size} drawn"
    return finding("places a permutation, and fixed", seen, violations())


def called_only_grows(evidence: Evidence) -> Finding:
    """The counters ``called`` and ``issued`` never fell, and the public record calls each place once, in order."""
    sights = sorted(evidence.sights, key=lambda sight: int(sight.document["now"]))
    calls = [entry for entry in evidence.log if entry["kind"] == "call"]

    def violations() -> Iterator[str]:
        for earlier, later in pairwise(sight.document for sight in sights):
            for name in ("called", "issued"):
                if later[name] < earlier[name]:
                    yield f"{name} fell from {earlier[name]} to {later[name]} at {later['now']}"
        expected = 0
        for entry in calls:
            if int(entry["from"]) != expected or int(entry["to"]) < expected:
                yield f"the record calls {entry['from']} … {entry['to']} where {expected} was next"
            expected = int(entry["to"]) + 1

    return finding(
        "called only grows", f"{evidence.last['called']} called in {len(calls)} calls", violations()
    )


def nobody_before_their_call(evidence: Evidence) -> Finding:
    """Nobody entered before the record calls them, and no knock was refused as too early after the call."""
    called_at = call_times(evidence.log)
    knocks = [(story, knock) for story in evidence.stories for knock in story.knocks]

    def violations() -> Iterator[str]:
        for story, knock in knocks:
            called = called_at.get(knock.place)
            if isinstance(knock, LetIn) and (called is None or knock.enter_at < called):
                yield f"{_who(story, knock.place)} entered at {knock.enter_at}, called {_when(called)}"
            if isinstance(knock, TooEarly) and _first_seen(evidence, knock.place) < knock.sent_at:
                yield f"{_who(story, knock.place)} was called, and still refused as too early at {knock.sent_at}"

    refused = sum(isinstance(knock, TooEarly) for _, knock in knocks)
    return finding("nobody before their call", f"{len(knocks)} knocks, {refused} too early", violations())


def call_times(log: list[Mapping[str, Any]]) -> dict[int, int]:
    """When the record calls each place (epoch ms)."""
    return {
        place: int(entry["at"])
        for entry in reversed(log)
        if entry["kind"] == "call"
        for place in range(int(entry["from"]), int(entry["to"]) + 1)
    }


def _first_seen(evidence: Evidence, place: int) -> float:
    """When somebody first held a state in which a place was called (epoch ms)."""
    seen = [sight.received_at for sight in evidence.sights if sight.document["called"] > place]
    return min(seen, default=math.inf)


def _who(story: Story, place: int) -> str:
    return f"shopper {story.name} (place {place})"


def _when(called: int | None) -> str:
    return "never" if called is None else f"at {called}"
