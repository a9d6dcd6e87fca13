"""Checks of the public record: its seals, and that what it tells could have happened that way."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from waitroom import beacon, record
from waitroom.verify.findings import LOG, Finding, broken, holds, noted
from waitroom.verify.sale import Sale


def check_seals(sale: Sale) -> Iterator[Finding]:
    """Each seal fits the seal before it and the entries since; an edited entry breaks the seal over it."""
    log = sale.log
    numbers = [tuple(map(int, entry_id.split("-"))) for entry_id, _ in log]
    for (before, _), (after, _), (low, high) in zip(log, log[1:], pairwise(numbers), strict=False):
        if low >= high:
            yield broken(LOG, f"the entry {after} stands behind {before}")
    index = {entry_id: at for at, (entry_id, _) in enumerate(log)}
    last, start, seals, wrong = record.first_link(sale.room), 0, 0, 0
    for at, (entry_id, fields) in enumerate(log):
        if fields["kind"] != record.SEAL:
            continue
        end, seals = index.get(fields["to"], -1), seals + 1
        if not start <= end < at:
            yield broken(
                LOG, f"the seal {entry_id} covers up to {fields['to']}, which is not there, or not before it"
            )
            return
        if record.seal(last, log[start : end + 1]).hex() != fields["seal"]:
            wrong += 1
            yield broken(
                LOG, f"the entries {log[start][0]} to {log[end][0]} are not those that {entry_id} has sealed"
            )
        # Going on from the seal that is written there names each edited stretch alone.
        last, start = bytes.fromhex(fields["seal"]), end + 1
    if not wrong:
        yield holds(LOG, f"{seals} seals fit the {start} entries they cover")
    if open_end := len(log) - start:
        yield noted(LOG, f"not covered by a seal yet: {open_end} at the end")


class Story:
    """The record read from its beginning; ``problems`` collects what cannot have been."""

    def __init__(self, sale: Sale) -> None:
        self.problems: list[Finding] = []
        self._sale = sale
        self._issued = self._called = 0
        self._phase = ""
        self._drawn = not sale.terms
        self._entered: set[int] = set()

    def read(self) -> Iterator[Finding]:
        """All entries, one after another."""
        log = self._sale.log
        if not log or log[0][1]["kind"] != "found":
            yield broken(LOG, "it does not begin with the founding of the room")
        for at, (entry_id, fields) in enumerate(log):
            reader = getattr(self, f"_read_{fields['kind']}", None)
            problem = reader(fields) if reader else None
            if fields["kind"] == "found" and at:
                problem = "the room is founded a second time"
            if problem:
                self.problems.append(broken(LOG, f"{entry_id} ({fields['kind']}): {problem}"))
        yield from self.problems
        if not self.problems:
            yield holds(
                LOG,
                f"places 0 to {self._called - 1} were called in order" if self._called else "none called yet",
            )
            yield holds(LOG, f"into the shop: {len(self._entered)}, each once and after its call")
        for fields in self._sale.told("heal"):
            text = f"at {fields['at']} the store had lost writes: {fields['issued']} issued, {fields['called']} called"
            yield noted(LOG, text + " were restored, lost leaves stand as zeros")

    def _read_found(self, fields: Mapping[str, str]) -> str | None:
        if fields["commit"] != self._sale.draw.get("commit", ""):
            return "its commit document is not that of the draw"
        return None

    def _read_freeze(self, fields: Mapping[str, str]) -> str | None:
        if int(fields["at"]) < self._sale.terms["presale_closes_at"]:
            return "the list was frozen before the presale's end"
        return self._compare(fields, "size")

    def _read_roll(self, fields: Mapping[str, str]) -> str | None:
        number = self._sale.terms.get("round")
        if number is not None and int(fields["at"]) >= beacon.time_of(number):
            return (
                "the list became public when the beacon could be known: it proves no more than a local draw"
            )
        return self._compare(fields, "size", "root", "secret")

    def _read_draw(self, fields: Mapping[str, str]) -> str | None:
        number = self._sale.terms.get("round")
        if number is not None and int(fields["at"]) < beacon.time_of(number):
            return "it was drawn before the beacon's time"
        self._drawn = True
        return self._compare(fields, "seed", "signature")

    def _read_phase(self, fields: Mapping[str, str]) -> str | None:
        before, self._phase = self._phase, fields["to"]
        return None if fields["from"] == before else f"the phase was {before or 'none'}, not {fields['from']}"

    def _read_call(self, fields: Mapping[str, str]) -> str | None:
        first, last, expected = int(fields["from"]), int(fields["to"]), self._called
        self._called = max(expected, last + 1)
        if not self._drawn:
            return "places were called before they were drawn"
        if first != expected or last < first:
            return f"places {first} to {last} were called where {expected} was next"
        return None

    def _read_enter(self, fields: Mapping[str, str]) -> str | None:
        place = int(fields["place"])
        if place >= self._called:
            return f"place {place} entered before it was called"
        if place in self._entered:
            return f"place {place} entered twice"
        self._entered.add(place)
        return None

    def _read_heal(self, fields: Mapping[str, str]) -> str | None:
        issued, called = int(fields["issued"]), int(fields["called"])
        fell = issued < self._issued or called < self._called
        self._issued, self._called = max(issued, self._issued), max(called, self._called)
        return "a counter fell" if fell else None

    def _read_seal(self, fields: Mapping[str, str]) -> str | None:
        issued, called = int(fields["issued"]), int(fields["called"])
        fell, self._issued = issued < self._issued, max(issued, self._issued)
        if fell:
            return "fewer tickets were issued than before"
        return (
            None
            if called == self._called
            else f"{called} places were called, the record knows {self._called}"
        )

    def _compare(self, fields: Mapping[str, str], *names: str) -> str | None:
        for name in names:
            value = self._sale.draw.get(name)
            if fields[name] != ("" if value is None else str(value)):
                return f"{name} is {fields[name]!r}, the draw's is {value!r}"
        return None
