"""What an operator makes of the pages: colours, logo, texts, templates."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.colours import READABLE, VISIBLE, colours_css, contrast
from gate.look import TEMPLATES, Look, our_look
from gate.page import MOST_BYTES, content_security_policy, render_page
from gate.plain import render_plain
from tests.gate.test_plain import FACES, ROOM, SCENE
from waitroom.appearance import Colours
from waitroom.errors import BadSettings
from waitroom.settings import RoomSettings, load_settings

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><script>alert("1")</script></svg>'
PNG = b"\x89PNG\r\n\x1a\n0000"

colour = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def look(folder: Path | None = None, **room: Any) -> Look:  # noqa: ANN401 - a room's settings
    """The look of a room with these settings."""
    return Look("tea", RoomSettings.model_validate(room), folder)


def page(look: Look, language: str = "en") -> str:
    """The waiting page in this look."""
    return render_page(ROOM, language, look).body.decode()


# ---- Colours


@given(paper=colour, ink=colour, accent=colour)
def test_whatever_colours_are_taken_can_be_read(paper: str, ink: str, accent: str) -> None:
    """Of any three colours, all that follow from them keep WCAG's contrast, or the three are refused."""
    chosen = Colours(paper=paper, ink=ink, accent=accent)
    if contrast(ink, paper) < READABLE:
        with pytest.raises(
            BadSettings, match=r"^rooms.tea.colours: text in #.{6} on #.{6} has a contrast of"
        ):
            colours_css("tea", chosen, Colours())
        return
    day, _night, turn = (
        dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", block, re.IGNORECASE))
        for block in colours_css("tea", chosen, Colours()).splitlines()
    )
    for scheme in (day, turn):
        assert contrast(scheme["ink"], scheme["paper"]) >= READABLE
        assert contrast(scheme["soft"], scheme["paper"]) >= READABLE
        assert contrast(scheme["on-accent"], scheme["accent"]) >= READABLE
        assert contrast(scheme["edge"], scheme["paper"]) >= VISIBLE


def test_contrast_is_that_of_wcag() -> None:
    """Black on white is 21:1, and #767676 is the lightest grey that can be read on white."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") < READABLE < contrast("#767676", "#ffffff")


def test_dark_colours_that_nobody_could_read_are_refused() -> None:
    """The line names the scheme, the colours, what they have and what they need."""
    wanted = (
        r"^rooms.tea.colours_dark: text in #333333 on #111514 has a contrast of 1.5:1 and would be hard to "
        r"read; choose ink and paper with at least 4.5:1$"
    )
    with pytest.raises(BadSettings, match=wanted):
        look(colours_dark={"ink": "#333333"})


def test_the_policy_allows_the_operators_colours() -> None:
    """They stand in the style sheet, by whose hash the page may use it."""
    orange = look(colours={"accent": "#ff6700"})
    assert "--accent:#ff6700;--on-accent:#000000;--edge:#17201d" in page(orange)
    policy = render_page(ROOM, "en", orange).headers["Content-Security-Policy"]
    assert content_security_policy(orange.style).split("; ")[1] in policy
    assert policy != render_page(ROOM).headers["Content-Security-Policy"]


# ---- Logo


def test_a_logo_stands_in_the_page(tmp_path: Path) -> None:
    """As an image, in which no script runs; the room's name beside it says what it shows."""
    for name, content, kind in (
        ("a.svg", SVG.encode(), "image/svg+xml,"),
        ("b.PNG", PNG, "image/png;base64,"),
    ):
        (tmp_path / name).write_bytes(content)
        html = page(look(logo=tmp_path / name))
        assert f'<img src="data:{kind}' in html
        assert 'alt=""' in html
        assert "<svg" not in html


BAD_LOGOS = {
    "logo.gif": (b"GIF89a", "the logo must be an .svg or a .png"),
    "gone.svg": (None, "it cannot be read: No such file or directory"),
    "text.png": (b"<svg", "this is no PNG image"),
    "big.svg": (b"<svg" + b" " * 2045, "it has 2049 bytes; at most 2048 fit into a page that shows at once"),
}


@pytest.mark.parametrize("name", BAD_LOGOS)
def test_a_logo_that_cannot_be_used_is_named(tmp_path: Path, name: str) -> None:
    """With its setting, its path and what would be right."""
    content, wanted = BAD_LOGOS[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadSettings) as caught:
        look(logo=tmp_path / name)
    assert str(caught.value) == f"rooms.tea.logo = {str(tmp_path / name)!r}: {wanted}"


# ---- Texts

GERMAN = {
    "title": "Teeverkauf",
    "notice": "Versand dauert",
    "reasons": {"Back soon.": "Gleich zurück."},
    "Come in": "Herein",
    "Your turn comes in {wait}.": "Noch {wait}.",
}


def test_operators_texts_stand_for_ours() -> None:
    """In the language they are for, on both pages; what they do not say stays ours."""
    tea = look(notice="Shipping is slow", texts={"de": GERMAN})
    html = page(tea, "de")
    assert "<title>Teeverkauf</title>" in html
    assert '"Herein"' in html
    assert '"Noch {wait}."' in html
    assert '"Shipping is slow": "Versand dauert"' in html
    assert "Warteschlange verlassen" in html
    assert "Teeverkauf" not in page(tea)
    room = replace(ROOM, notice="Shipping is slow")
    german = replace(SCENE.reader, language="de")
    plain = render_plain(replace(SCENE, room=room, look=tea, reader=german))
    assert "Versand dauert" in plain
    assert "Shipping" not in plain
    paused = replace(FACES["paused"][0], look=tea, reader=german)
    assert "Gleich zurück." in render_plain(replace(paused, line=replace(paused.line, reason="Back soon.")))


def test_an_operators_text_is_text() -> None:
    """It cannot become markup, nor end the script's data."""
    html = page(look(texts={"en": {"title": "<b>Tea", "Come in": "</script><b>", "Leave": "<i>"}}))
    assert not re.search(r"<b>|<i>", html)


BAD_TEXTS = [
    (
        {"de": {"Come inn": "Herein"}},
        "rooms.tea.texts.de: 'Come inn' is no text of the pages; 'Come in' is one",
    ),
    ({"de": {"🫖" * 9: "Tee"}}, f"rooms.tea.texts.de: {'🫖' * 9!r} is no text of the pages"),
    (
        {"de": {"about {wait}": "bald"}},
        "rooms.tea.texts.de.'about {wait}' = 'bald': it must hold {wait}",
    ),
    (
        {"de": {"Leave": "{wait}"}},
        "rooms.tea.texts.de.'Leave' = '{wait}': it must hold nothing in braces",
    ),
    ({"es": {"Leave": "Salir"}}, "rooms.tea.texts.es: the pages speak de, en, fr"),
]


@pytest.mark.parametrize("texts, wanted", BAD_TEXTS)
def test_a_text_that_cannot_be_used_is_named(texts: dict[str, Any], wanted: str) -> None:
    """A typing error is told at start, not seen by shoppers."""
    with pytest.raises(BadSettings) as caught:
        look(texts=texts)
    assert str(caught.value) == wanted


def test_a_page_that_grows_too_heavy_is_told() -> None:
    """The line names the room, the language, the weight and what to do."""
    reasons = {f"{number**9} {number**7}": str(number**8) for number in range(1, 400)}
    with pytest.raises(
        BadSettings, match=rf"^rooms.mi-launch: in 'en' .* at most {MOST_BYTES} show at once: make"
    ):
        page(look(texts={"en": {"reasons": reasons}}))


# ---- Templates


def test_a_folder_overrides_our_templates_file_by_file(tmp_path: Path) -> None:
    """A file of the operator's stands for ours of that name; the others, and what it extends, stay."""
    (tmp_path / "queue").mkdir()
    mine = '{% extends "ours/queue/waiting.html" %}{% block main %}<h1>Tea</h1>{{ super() }}{% endblock %}'
    (tmp_path / "queue" / "waiting.html").write_text(mine)
    tea = look(tmp_path)
    assert "<h1>Tea</h1>" in page(tea)
    assert '<h1 id="title" tabindex="-1">One moment</h1>' in page(tea)
    assert "<h1>You are in line</h1>" in render_plain(replace(SCENE, look=tea))


def test_a_folder_adds_a_language_and_changes_single_texts(tmp_path: Path) -> None:
    """A new catalogue is a new language; in one that we have, it goes before ours text by text."""
    for language, text in (("es", "Salir"), ("de", "Raus")):
        file = tmp_path / "locale" / language / "LC_MESSAGES" / "waitroom.po"
        file.parent.mkdir(parents=True)
        file.write_text(f'msgid "Leave"\nmsgstr "{text}"\n')
    tea = look(tmp_path)
    assert tea.languages == ("de", "en", "es", "fr")
    assert ">Español</a>" in page(tea)
    assert ">Salir</button>" in page(tea, "es")
    german = page(tea, "de")
    assert ">Raus</button>" in german
    assert "Warteschlange verlassen" in german


def test_templates_that_are_not_there_are_named(tmp_path: Path) -> None:
    """The setting and the folder."""
    with pytest.raises(BadSettings, match=r"^templates = '.*/none': there is no such folder$"):
        look(tmp_path / "none")


def test_without_anything_set_the_look_is_ours() -> None:
    """A room that sets nothing has the page of the repository."""
    assert page(look()) == page(our_look())


def test_the_example_in_the_docs_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and texts are as the pages' document shows them."""
    blocks = re.findall(r"```toml\n(.*?)```", (TEMPLATES.parent / "docs" / "pages.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-templates").mkdir()
    (tmp_path / "logo.svg").write_text(SVG)
    (tmp_path / "waitroom.toml").write_text("\n".join(reversed(blocks)))
    settings = load_settings({})
    tea = Look("tea", settings.rooms["tea"], settings.templates)
    assert "<title>Frühlingstee</title>" in page(tea, "de")
