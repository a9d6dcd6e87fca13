"""The colours of a page: three are chosen, light and dark, and the others follow so that all can be read.

Contrast is that of WCAG 2.2: (lighter + 0.05) / (darker + 0.05), of relative luminances.
"""

from typing import Final

from waitroom.appearance import Colours
from waitroom.errors import BadSettings

LIGHT: Final = Colours(paper="#f7f6f2", ink="#17201d", accent="#0a6b57")
DARK: Final = Colours(paper="#111514", ink="#eef2f0", accent="#62d3b6")
READABLE: Final = 4.5
VISIBLE: Final = 3
"""The least contrast of text, and of what is no text (WCAG 1.4.3 and 1.4.11)."""

_Scheme = dict[str, str]


def colours_css(room: str, light: Colours, dark: Colours) -> str:
    """Custom properties for both schemes, and for the faces on which it is the shopper's turn.

    Raises:
        BadSettings: text could not be read.
    """
    day = _scheme(f"rooms.{room}.colours", light, LIGHT)
    night = _scheme(f"rooms.{room}.colours_dark", dark, DARK)
    ground, text = day["accent"], day["on-accent"]
    turn = _follow(ground, text, text) | {"on-accent": ground}
    return (
        f":root{{{_css(day)}}}\n@media(prefers-color-scheme:dark){{:root{{{_css(night)}}}}}\n"
        f'[data-face="called"],[data-face="door"],[data-face="entering"]{{{_css(turn)}}}\n'
    )


def contrast(one: str, other: str) -> float:
    """The contrast between two colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _scheme(where: str, chosen: Colours, ours: Colours) -> _Scheme:
    paper, ink, accent = (getattr(chosen, name) or getattr(ours, name) for name in ("paper", "ink", "accent"))
    if contrast(ink, paper) < READABLE:
        raise BadSettings(
            f"{where}: text in {ink} on {paper} has a contrast of {contrast(ink, paper):.1f}:1 and would be hard "
            f"to read; choose ink and paper with at least {READABLE}:1"
        )
    return _follow(paper, ink, accent)


def _follow(paper: str, ink: str, accent: str) -> _Scheme:
    """All colours that follow: the softest text that can be read, and a button's text and edge."""
    shares = (share / 100 for share in range(68, 101, 2))
    return {
        "paper": paper,
        "ink": ink,
        "soft": next(mix for share in shares if contrast(mix := _mix(ink, paper, share), paper) >= READABLE),
        "rule": _mix(ink, paper, 0.14),
        "accent": accent,
        "on-accent": max("#ffffff", "#000000", key=lambda text: contrast(text, accent)),
        "edge": accent if contrast(accent, paper) >= VISIBLE else ink,
    }


def _css(scheme: _Scheme) -> str:
    return ";".join(f"--{name}:{colour}" for name, colour in scheme.items())


def _mix(one: str, other: str, share: float) -> str:
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _luminance(colour: str) -> float:
    parts = [value / 255 for value in _channels(colour)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
