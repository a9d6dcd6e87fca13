"""All checks in order: seals, draw, story, receipt."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from waitroom import draw
from waitroom.verify.documents import Documents, Progress
from waitroom.verify.draw_checks import check_draw
from waitroom.verify.findings import DRAW, LOG, RECEIPT, Finding, broken
from waitroom.verify.log_checks import Story, check_seals
from waitroom.verify.receipt import check_receipt, explain, read_receipt
from waitroom.verify.sale import Sale, Unreadable, read_sale


def check_all(documents: Documents, room: str, receipt: Path | None, progress: Progress) -> Iterator[Finding]:
    """Everything that can be checked; a document that cannot be read is itself a finding."""
    try:
        sale = read_sale(documents, room)
        held = read_receipt(receipt) if receipt else None
    except Unreadable as error:
        yield broken(error.document, str(error))
        return
    yield from _guarded(LOG, lambda: check_seals(sale))
    yield from _guarded(DRAW, lambda: check_draw(sale, progress))
    yield from _guarded(LOG, Story(sale).read)
    if held is not None:
        yield from _guarded(RECEIPT, lambda: check_receipt(sale, held))
        yield from _guarded(RECEIPT, lambda: explain(sale, held.number))


def write_places(documents: Documents, room: str, path: Path) -> int:
    """Compute everyone's place and write them as lines of number and place; answers how many.

    Raises:
        Unreadable: it is not drawn yet, or a document is in another format.
    """
    sale: Sale = read_sale(documents, room)
    if sale.seed is None:
        raise Unreadable(DRAW, "there are no places before it is drawn")
    places = draw.places(sale.size, sale.seed, sale.terms["rounds"])
    lines = np.column_stack((np.arange(sale.size, dtype=np.uint32), places))
    np.savetxt(path, lines, fmt="%d", delimiter=",", header="number,place", comments="")
    return sale.size


def _guarded(document: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """An edited value may be of another kind than any check expects; that too is found, not raised."""
    try:
        yield from check()
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        yield broken(document, f"a value is missing or has another form: {error!r}")
