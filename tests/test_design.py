"""What the design says always holds, and where it says what is."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "docs" / "design.md").read_text()
_NAMED = re.compile(r"\bI(\d+)(?:-I(\d+))?\b|\bdef test_i(\d+)_")


def _named_by_tests() -> Iterator[int]:
    for file in (ROOT / "tests").rglob("*.py"):
        for first, last, name in _NAMED.findall(file.read_text()):
            yield from range(int(first or name), int(last or first or name) + 1)


def test_tests_name_each_thing_that_always_holds() -> None:
    """And no other."""
    listed = [int(number) for number in re.findall(r"^\| I(\d+) \|", DESIGN, re.MULTILINE)]
    assert listed == sorted(set(_named_by_tests()))


@pytest.mark.parametrize("package", ["waitroom", "gate"])
def test_what_the_design_points_to_is_there(package: str) -> None:
    """Each file and folder in the rows under a package's own."""
    rows = DESIGN.partition(f"\n| `{package}/` |")[2]
    rows = re.split(r"\n\| `(?:gate|shop_backend)/`", rows)[0]
    names = [name for row in rows.splitlines()[1:] for name in re.findall(r"`([\w/]+)`", row.split("|")[1])]
    assert names
    missing = [
        name for name in names if not any((ROOT / package / f"{name}{end}").exists() for end in ("", ".py"))
    ]
    assert missing == []
