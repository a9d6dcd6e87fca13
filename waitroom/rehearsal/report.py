"""The verdict as people read it: a table, the figures, and one line for each violation."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from waitroom.rehearsal.findings import Finding, counted
from waitroom.rehearsal.story import Evidence
from waitroom.rehearsal.verdict import percentile, waits

MOST_SHOWN = 10
"""Violations of one promise that are written out."""


def report(console: Console, evidence: Evidence, findings: Sequence[Finding]) -> bool:
    """Print all; whether every promise was kept."""
    console.print(_promises(findings))
    console.print(_times(evidence))
    for line in _counts(evidence):
        console.print(line, markup=False, highlight=False)
    broken = [finding for finding in findings if not finding.holds]
    for finding in broken:
        for violation in finding.violations[:MOST_SHOWN]:
            console.print(Text(f"VIOLATION  {finding.promise}: {violation}", style="red"), soft_wrap=True)
        if (more := len(finding.violations) - MOST_SHOWN) > 0:
            console.print(Text(f"           and {more} more of this kind", style="red"))
    console.print(_last_word(evidence, broken))
    return not broken


def _promises(findings: Sequence[Finding]) -> Table:
    table = Table(
        "promise", "seen, of what is allowed", "", title="What the shoppers saw", title_justify="left"
    )
    for finding in findings:
        kept = Text("kept", style="green") if finding.holds else Text("BROKEN", style="bold red")
        table.add_row(finding.promise, finding.seen, kept)
    return table


def _times(evidence: Evidence) -> Table:
    table = Table("seconds", "shoppers", "p50", "p95", "most")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, values in waits(evidence).items():
        shown = [f"{percentile(values, share):.1f}" for share in (0.5, 0.95, 1)]
        table.add_row(name, str(len(values)), *shown)
    return table


def _counts(evidence: Evidence) -> list[str]:
    """Requests in all, then what was refused or failed, the most frequent first."""
    answers = evidence.answers
    odd = [
        f"  {count:>7} {request}: {f'{status} ' if status else ''}{slug}"
        for (request, status, slug), count in answers.most_common()
        if status >= 400 or not status
    ]
    failed = [f"  {count:>7} {what}" for what, count in evidence.troubles.most_common()]
    total = counted(answers.total() + evidence.troubles.total(), "request")
    return [f"{total}; refused, cut or failed among them:", *odd, *failed] if odd or failed else [total]


def _last_word(evidence: Evidence, broken: Sequence[Finding]) -> Text:
    phase = str(evidence.last["phase"]).replace("_", " ")
    end = f"{counted(len(evidence.stories), 'shopper')}, the room is {phase}"
    if broken:
        return Text(f"VERDICT: {counted(len(broken), 'promise')} broken; {end}", style="bold red")
    return Text(f"VERDICT: every promise kept; {end}", style="bold green")
