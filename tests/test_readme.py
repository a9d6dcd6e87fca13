"""What the README says is there."""

import re
from pathlib import Path

import pytest

from waitroom.settings import ENVIRONMENT

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
OF_THE_SHOP = {"SHOP_STOCK", "SHOP_HOLD_SECONDS", "WAITROOM_REQUIRED"}


def test_every_variable_stands_in_the_readme() -> None:
    """And none that nothing reads."""
    named = set(re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE))
    assert named == {*ENVIRONMENT, "WAITROOM_CONFIG"} | OF_THE_SHOP


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(link: str) -> None:
    """A file or a folder of the project."""
    assert (ROOT / link).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z]+)\b[^|]*`", README))))
def test_every_command_of_the_readme_is_one(target: str) -> None:
    """A target of the Makefile."""
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
