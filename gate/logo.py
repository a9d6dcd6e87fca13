"""An operator's logo, as it stands in the page: the first view is one answer."""

from base64 import b64encode
from pathlib import Path
from typing import Final
from urllib.parse import quote

from waitroom.errors import BadSettings

MOST_BYTES: Final = 2048
_KINDS: Final = {".svg": "image/svg+xml", ".png": "image/png"}
_PLAIN: Final = " /:=';,+()@!*"
_START: Final = {".svg": b"<", ".png": b"\x89PNG\r\n\x1a\n"}


def read_logo(setting: str, path: Path) -> str:
    """The ``data:`` address of an image. A browser runs no script in an image, whatever the file holds.

    Raises:
        BadSettings: it is not there, no SVG or PNG, or too heavy.
    """
    where, kind = f"{setting} = {str(path)!r}", path.suffix.lower()
    if kind not in _KINDS:
        raise BadSettings(f"{where}: the logo must be an .svg or a .png")
    try:
        image = path.read_bytes()
    except OSError as error:
        raise BadSettings(f"{where}: it cannot be read: {error.strerror}") from None
    if not image.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_START[kind]):
        raise BadSettings(f"{where}: this is no {kind[1:].upper()} image")
    if len(image) > MOST_BYTES:
        raise BadSettings(
            f"{where}: it has {len(image)} bytes; at most {MOST_BYTES} fit into a page that shows at once"
        )
    if kind == ".svg":  # as text it compresses
        return f"data:{_KINDS[kind]},{quote(image, safe=_PLAIN)}"
    return f"data:{_KINDS[kind]};base64,{b64encode(image).decode()}"
