"""The waiting page as it is sent."""

import gzip
import re
from dataclasses import replace
from pathlib import Path

import pytest

from gate.look import our_look
from gate.page import render_page
from waitroom.friction import NO_FRICTION, FrictionSettings
from waitroom.room import Pace, Room, Schedule

STATIC = Path(__file__).parents[2] / "gate" / "static"
ROOM = Room("mi-launch", "Mi Launch", Schedule(0), Pace(60, 20, 5, 600_000, 600_000))


def test_policy_allows_no_inline_code_but_ours() -> None:
    """The Content-Security-Policy names our script and style by their hashes, and what our script adds."""
    policy = render_page(ROOM).headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[\w+/]{43}=' 'strict-dynamic'(;|$)", policy)


def test_page_is_the_same_for_everyone() -> None:
    """Two renderings are the same bytes under the same entity tag, and both encodings hold the same page."""
    one, two = render_page(ROOM), render_page(ROOM)
    assert (one.body, one.etag) == (two.body, two.etag)
    assert gzip.decompress(one.gzip_body) == one.body


def test_a_title_is_text() -> None:
    """A room's title cannot become markup."""
    assert b"<b>" not in render_page(replace(ROOM, title="<b>Sale</b>")).body


@pytest.mark.parametrize("friction", [NO_FRICTION, FrictionSettings(work=1, joins_per_minute=1)], ids=repr)
@pytest.mark.parametrize("language", our_look().languages)
def test_first_view_is_light_in_each_language(language: str, friction: FrictionSettings) -> None:
    """Page and headers fit into 14 KB, whatever the room asks before a join."""
    room = replace(ROOM, title="Mi Store: the first sale in Europe and the USA")
    page = render_page(room, language, friction=friction)
    headers = sum(len(f"{name}: {value}\r\n") for name, value in page.headers.items())
    assert len(page.gzip_body) + headers + 200 <= 14 * 1024  # 200 for what the server adds


@pytest.mark.parametrize("file", sorted(STATIC.glob("*.js")), ids=lambda file: file.name)
def test_no_template_stands_within_a_template(file: Path) -> None:
    """What takes the spaces out of our scripts would take them out of the inner one's text as well."""
    assert not re.search(r"\$\{[^{}]*`", file.read_text())


@pytest.mark.parametrize("file", sorted(STATIC.glob("*.css")), ids=lambda file: file.name)
def test_the_style_knows_no_left_and_right(file: Path) -> None:
    """Pages in languages that run from right to left need no style of their own."""
    physical = (
        r"(?:margin|padding|border)-(?:left|right|top|bottom)|[;{ ](?:left|right)\s*:|text-align:\s*[lr]"
    )
    assert re.findall(physical, file.read_text()) == []
