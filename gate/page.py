"""The waiting page: one document with style and script in it, compressed once and the same for everyone."""

import base64
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import Final

from babel import Locale
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from waitroom.room import Room

_HERE: Final = Path(__file__).parent
_MODULES: Final = ("draw.js", "line.js", "face.js", "queue.js")
"""In the order in which they need each other."""

SECURE_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Page:
    """An answer made once; ``gzip_body`` goes with ``Content-Encoding: gzip`` and the same headers."""

    body: bytes
    gzip_body: bytes
    etag: str
    headers: Mapping[str, str]


def render_page(room: Room, language: str = "en") -> Page:
    """The waiting page of a room, ready to send; the query string is read by the page itself."""
    script = _script()
    html = (
        environment(language)
        .get_template("queue/waiting.html")
        .render(
            room=room.name,
            title=room.title,
            face="loading",
            css=style(),
            script=script,
        )
    )
    body = html.encode()
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {
        **SECURE_HEADERS,
        "Content-Security-Policy": content_security_policy(script),
        "Cache-Control": "public, max-age=60",
        "Vary": "Accept-Encoding",
        "ETag": etag,
    }
    return Page(body, gzip.compress(body, mtime=0), etag, headers)


def content_security_policy(script: str = "") -> str:
    """A policy that allows our style, this script and requests to this site, and nothing else."""
    allowed = {
        "default-src": "'none'",
        "style-src": _digest(style()),
        **({"script-src": _digest(script)} if script else {}),
        "img-src": "data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


@cache
def environment(language: str) -> Environment:
    """The templates in one language (so far without translations); all is escaped, a missing value fails."""
    env = Environment(
        loader=FileSystemLoader(_HERE.parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translations, locale = NullTranslations(), Locale.parse(language)
    env.install_gettext_translations(translations)  # type: ignore[attr-defined]

    def plural(one: str, other: str) -> dict[str, str]:
        """Both forms under the names that Intl.PluralRules gives them in this language."""
        return {locale.plural_form(n): translations.ngettext(one, other, n) for n in range(200)}

    env.globals.update(
        plural=plural, language=language, direction="rtl" if locale.text_direction == "rtl" else "ltr"
    )
    return env


@cache
def style() -> str:
    """The style sheet as it stands in the pages."""
    return _lean((_HERE / "static" / "queue.css").read_text())


@cache
def _script() -> str:
    """The page's modules as one, so that the first view is one answer; imports and exports fall away."""
    whole = "".join(_lean((_HERE / "static" / name).read_text()) for name in _MODULES)
    return re.sub(r"^(?:import .*;\n|export (?=const|function))", "", whole, flags=re.MULTILINE)


def _lean(source: str) -> str:
    """The source without indentation, blank lines and comment lines."""
    lines = (line.strip() for line in source.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith(("//", "/*")))


def _digest(text: str) -> str:
    """The source expression of an inline script or style (CSP 3)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
