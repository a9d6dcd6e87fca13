"""The waiting page: one document with style and script in it, compressed once and the same for everyone."""

import base64
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gate.look import Look, our_look
from gate.sources import read_script
from waitroom.errors import BadSettings
from waitroom.friction import NO_FRICTION, FrictionSettings
from waitroom.room import Room

MOST_BYTES: Final = 13_700
"""Of the compressed page; with its headers it fits into 14 KB, what a server may send before it hears back."""

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


def render_page(
    room: Room, language: str = "en", look: Look | None = None, friction: FrictionSettings = NO_FRICTION
) -> Page:
    """The waiting page of a room, ready to send; the query string is read by the page itself.

    It holds what it needs for the room's ``friction``, and no more.

    Raises:
        BadSettings: what the operator has added makes it too heavy.
    """
    look, script = look or our_look(), read_script(work=friction.work > 0)
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
            friction=friction,
        )
    )
    body = html.encode()
    packed = gzip.compress(body, mtime=0)
    if len(packed) > MOST_BYTES:
        raise BadSettings(
            f"rooms.{room.name}: in {language!r} its page has {len(packed)} bytes, compressed; at most {MOST_BYTES} "
            "show at once: make the logo, the texts or the templates smaller"
        )
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {
        **SECURE_HEADERS,
        "Content-Security-Policy": content_security_policy(look.style, script, worker=friction.work > 0),
        "Content-Language": language,
        "Cache-Control": "public, max-age=60",
        "Vary": "Accept-Encoding, Accept-Language",
        "ETag": etag,
    }
    return Page(body, packed, etag, headers)


def content_security_policy(style: str, script: str = "", *, worker: bool = False) -> str:
    """A policy that allows this style, this script, our worker and requests to this site, and nothing else."""
    allowed = {
        "default-src": "'none'",
        "style-src": _digest(style),
        **({"script-src": _digest(script)} if script else {}),
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
