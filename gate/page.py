"""The waiting page: one document with style and script in it, compressed once and the same for everyone."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import zopfli.gzip  # type: ignore[import-untyped]

from gate.look import Look, our_look
from gate.sources import read_more, read_script, read_style
from waitroom.errors import BadSettings
from waitroom.friction import NO_FRICTION, FrictionSettings
from waitroom.room import Room

MOST_BYTES: Final = 13_700
"""Of the compressed page; with its headers it fits into 14 KB, what a server may send before it hears back."""

_SECURE_HEADERS: Final = {
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


def render_page(
    room: Room, language: str = "en", look: Look | None = None, friction: FrictionSettings = NO_FRICTION
) -> Page:
    """The waiting page of a room, ready to send; the query string is read by the page itself.

    It holds what it needs for the room's ``friction``, and no more.

    Raises:
        BadSettings: what the operator has added makes it too heavy.
    """
    look, script = look or our_look(), read_script()
    html = (
        look.environment(language)
        .get_template("queue/waiting.html")
        .render(
            room=room.name,
            title=look.title(language, room.title),
            own=look.own(language),
            here="?",
            face="loading",
            script=script,
            more=f"more.js?lang={language}&v={_short_hash(_more(language, look))}",
            friction=friction,
        )
    )
    headers = {
        **_SECURE_HEADERS,
        "Content-Security-Policy": content_security_policy(look.style, script, worker=friction.work > 0),
        "Content-Language": language,
        "Cache-Control": "public, max-age=60",
        "Vary": "Accept-Encoding, Accept-Language",
    }
    page = _page(html.encode(), headers)
    if len(page.gzip_body) > MOST_BYTES:
        raise BadSettings(
            f"rooms.{room.name}: in {language!r} its page has {len(page.gzip_body)} bytes, compressed; at most "
            f"{MOST_BYTES} show at once: make the logo, the texts or the templates smaller"
        )
    return page


def render_more(language: str = "en", look: Look | None = None) -> Page:
    """What the page fetches when a shopper opens a part of it: one module, with texts and style sheet in it."""
    headers = {
        **_SECURE_HEADERS,
        "Content-Type": "text/javascript; charset=utf-8",
        "Cache-Control": "public, max-age=31536000, immutable",  # its address holds its hash
        "Vary": "Accept-Encoding",
    }
    return _page(_more(language, look or our_look()), headers)


def _more(language: str, look: Look) -> bytes:
    texts = look.environment(language).get_template("queue/more.html").render().strip()
    style = json.dumps(read_style("more.css"))
    return f"{read_more()}export const texts = {texts};\nexport const style = {style};\n".encode()


def _page(body: bytes, headers: Mapping[str, str]) -> Page:
    etag = f'W/"{_short_hash(body)}"'
    return Page(body, _pack(body), etag, {**headers, "ETag": etag})


@lru_cache(maxsize=128)
def _pack(body: bytes) -> bytes:
    """As small as gzip can be, which takes a tenth of a second; pages are made when the gate starts."""
    return bytes(zopfli.gzip.compress(body))


def _short_hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:20]


def plain_headers(look: Look) -> dict[str, str]:
    """The headers of a page without scripts; it is made for whoever asks, so nobody keeps it."""
    return {
        **_SECURE_HEADERS,
        "Content-Security-Policy": content_security_policy(look.style),
        "Cache-Control": "no-store",
    }


def content_security_policy(style: str, script: str = "", *, worker: bool = False) -> str:
    """A policy that allows this style, this script with its worker, what they fetch from this site, and nothing else.

    ``'strict-dynamic'`` (CSP 3) lets the script, which is known by its hash, add our modules, and nobody else.
    """
    allowed = {
        "default-src": "'none'",
        "style-src": _digest(style),
        **({"script-src": f"{_digest(script)} 'strict-dynamic'"} if script else {}),
        **({"worker-src": "'self'"} if worker else {}),
        "img-src": "data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def _digest(text: str) -> str:
    """The source expression of an inline script or style (CSP 3)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
