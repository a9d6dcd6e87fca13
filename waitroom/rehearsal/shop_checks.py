"""Checks of the shop and of the answers: units, the limit, repeats, faults, and that everyone is told the end."""

from collections import Counter
from collections.abc import Iterable, Iterator

from waitroom.rehearsal.findings import Finding, finding
from waitroom.rehearsal.story import End, Evidence

MOST_UNITS = 2
"""The shop's limit: units of one product for one buyer."""


def units(evidence: Evidence) -> Finding:
    """No product was sold more often than there were units, and sold out means that all are sold."""
    sold = Counter[str]()
    for story in evidence.stories:
        for bought in story.bought:
            sold[bought.product] += bought.units
    looks = [look for story in evidence.stories for look in story.stock]
    there = {
        product: {look[product] for look in looks if product in look} for look in looks for product in look
    }
    total = sum(max(counts) for counts in there.values())

    def violations() -> Iterator[str]:
        for product, counts in there.items():
            if len(counts) > 1:
                yield f"{product}: the stock was shown as {', '.join(map(str, sorted(counts)))} units"
        for product, count in sold.items():
            if count > max(there.get(product, {0})):
                yield f"{product}: {count} units sold, of {max(there.get(product, {0}))}"
        gone, phase = sum(sold.values()) == total, evidence.last["phase"]
        if phase == "sold_out" and not gone:
            yield f"the room is sold out with {total - sum(sold.values())} units not sold to anybody here"
        if looks and gone and phase not in {"sold_out", "closed"}:
            yield f"all units are sold, and the room is still {phase}"

    return finding("units sold", f"{sum(sold.values())} of {total}", violations())


def limit_each(evidence: Evidence) -> Finding:
    """No buyer has more units of a product than the shop allows."""
    bought = Counter[tuple[int, str]]()
    for story in evidence.stories:
        for line in story.bought:
            bought[story.name, line.product] += line.units
    most = max(bought.values(), default=0)
    wrong = [
        f"shopper {name} bought {n} of {product}" for (name, product), n in bought.items() if n > MOST_UNITS
    ]
    return finding("most units of a product for one buyer", f"{most} of {MOST_UNITS}", wrong)


def money(evidence: Evidence) -> Finding:
    """Every paid order was charged once, in full; no other order keeps any money."""
    listed = [(story.name, each) for story in evidence.stories for each in story.money]
    wrong = [
        f"shopper {name}, order {each.order}: {each.due_cents} due, {_and(each.charged_cents)} charged"
        for name, each in listed
        if each.charged_cents != ((each.due_cents,) if each.due_cents else ())
    ]
    paid = [each.due_cents for _, each in listed if each.due_cents]
    return finding("paid orders charged once", f"{len(paid)}, {sum(paid) / 100:.2f} US dollars", wrong)


def repeats(evidence: Evidence) -> Finding:
    """A request sent again was answered as before, and no order was made that nobody was told of."""
    compared = Counter[str]()

    def violations() -> Iterator[str]:
        for story in evidence.stories:
            for repeat in story.repeats:
                compared[repeat.request] += len(repeat.answers) > 1
                if len(set(repeat.answers)) > 1:
                    yield f"shopper {story.name}, {repeat.request}: {' | '.join(repeat.answers)}"
            if story.listed_orders is not None and story.listed_orders != story.known_orders:
                listed, known = len(story.listed_orders), len(story.known_orders)
                yield f"shopper {story.name}: the shop lists {listed} orders, {known} were answered"

    wrong = tuple(violations())
    seen = ", ".join(f"{request} {count}" for request, count in compared.most_common() if count)
    return Finding("repeats answered alike", seen or "none", wrong)


def no_faults(evidence: Evidence) -> Finding:
    """No request was answered with a fault, and no shopper was told something that makes no sense."""

    def violations() -> Iterator[str]:
        for (request, status, slug), count in evidence.answers.items():
            if status == 500:
                yield f"{request} was answered {status} {slug}, {count} times"
        for story in evidence.stories:
            if story.end is End.FELL:
                yield f"shopper {story.name} fell over: {story.trouble}"

    away = sum(count for (_, status, _), count in evidence.answers.items() if status >= 500)
    lost = evidence.troubles.total()
    return finding("no faults", f"{away} answers of 5xx, {lost} requests without an answer", violations())


def all_told(evidence: Evidence) -> Finding:
    """Somebody was let in, and everyone who stayed got in or was told that it is over."""
    ends = Counter(story.end for story in evidence.stories)
    over = evidence.last["phase"] in {"sold_out", "closed"}

    def violations() -> Iterator[str]:
        if not evidence.visits:
            yield "nobody was let in"
        untold = sum(story.end is End.STAYED and not story.entries for story in evidence.stories)
        if over and untold:
            yield f"{untold} shoppers who wait were not told that it is over"

    seen = ", ".join(f"{count} {end}" for end, count in ends.most_common() if end)
    return finding("everyone was told", seen, violations())


def _and(amounts: Iterable[int]) -> str:
    return " and ".join(map(str, amounts)) or "nothing"
