"""``waitroom verify`` on the screen: progress while it works, a line for each finding, a verdict."""

from pathlib import Path

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TaskID

from waitroom.verify.checks import check_all, write_places
from waitroom.verify.documents import Documents, Progress, fetch, find_room, read_folder
from waitroom.verify.findings import Finding, Verdict

_MARKS = {Verdict.HOLDS: ("✓", "green"), Verdict.BROKEN: ("✗", "bold red"), Verdict.NOTED: ("·", "dim")}


def verify(
    where: str,
    room: str,
    console: Console,
    *,
    receipt: Path | None = None,
    download: Path | None = None,
    places: Path | None = None,
) -> bool:
    """Check the sale at an address or in a folder; says whether nothing is broken.

    Raises:
        Unreachable: a document cannot be had. Unreadable: the places cannot be computed from them.
    """
    with Bar(console=console, transient=True) as bar:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None)
            bar.update(tasks[what], completed=done, total=of or None)

        documents, room = _have(where, room, progress)
        if download is not None:
            documents.save(download)
        findings = list(check_all(documents, room, receipt, progress))
        if places is not None:
            write_places(documents, room, places)
    for finding in findings:
        _print(console, finding)
    wrong = [finding.document for finding in findings if finding.verdict is Verdict.BROKEN]
    if wrong:
        console.print(f"BROKEN: {', '.join(sorted(set(wrong)))}", style="bold red", markup=False)
    else:
        console.print("Everything holds.", style="bold green")
    return not wrong


def _have(where: str, room: str, progress: Progress) -> tuple[Documents, str]:
    if Path(where).is_dir():
        return read_folder(Path(where)), room
    gate, room = find_room(where, room)
    return fetch(gate, room, progress), room


def _print(console: Console, finding: Finding) -> None:
    mark, style = _MARKS[finding.verdict]
    console.print(f"{mark} {finding.document:<9} {finding.text}", style=style, markup=False)
