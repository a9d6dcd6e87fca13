"""The page for a shop in trouble stands on its own and leads back."""

import re

import pytest

from gate.look import our_look


@pytest.mark.parametrize("status", [502, 504])
def test_the_trouble_page_asks_nothing_of_anyone(status: int) -> None:
    """It says what is wrong and links back to the same address; it loads nothing and does not reload."""
    html = (
        our_look()
        .environment("en")
        .get_template("queue/trouble.html")
        .render(title="The shop <takes> too long", detail="Try again.", note=None, status=status)
    )
    assert "<h1>The shop &lt;takes&gt; too long</h1>" in html
    assert f"Error {status}" in html
    assert re.findall(r'(?:src|href|action)="([^"]*)"', html) == ["data:,", ""]
    assert "http-equiv" not in html
    assert "<script" not in html
