"""The fields of a request's body, from JSON or a form, and what each of them must look like."""

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from shop_backend.catalogue import LIMIT
from shop_backend.errors import BadInput, UnknownBody
from shop_backend.texts import _

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

Fields = Mapping[str, Any]

EMAIL = re.compile(r"[!-?A-~]{1,64}@[0-9A-Za-z-]{1,63}(\.[0-9A-Za-z-]{1,63})+")
PRODUCT = re.compile(r"[0-9a-z-]{1,40}")
KEY = re.compile(r"[0-9A-Za-z_-]{8,64}")


async def read_fields(request: web.Request) -> Fields:
    """The fields of the body.

    Raises:
        UnknownBody: when it is of another type than JSON or a plain form.
        BadInput: when it can't be parsed, or the sender hangs up.
    """
    if request.content_type not in {JSON, FORM}:
        raise UnknownBody(_("Send {json} or {form}."), json=JSON, form=FORM)
    try:
        body = await request.read()
        if request.content_type == FORM:
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=40))
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError, ConnectionError, web.RequestPayloadError):
        raise BadInput("body", _("The body can't be parsed.")) from None
    if not isinstance(fields, dict):
        raise BadInput("body", _("The body must be an object."))
    return fields


def email(fields: Fields) -> str:
    """An e-mail address, in small letters."""
    address = _text(fields, "email", 254).strip().lower()
    if not EMAIL.fullmatch(address):
        raise BadInput("email", _("This is no e-mail address."))
    return address


def password(fields: Fields, name: str = "password") -> str:
    """A password of 8 to 128 characters."""
    found = _text(fields, name, 128)
    if len(found) < 8:
        raise BadInput(name, _("The password needs at least 8 characters."))
    return found


def idempotency_key(fields: Fields) -> str:
    """What names an order of a buyer, or a payment of an order."""
    key = _text(fields, "key", 64)
    if not KEY.fullmatch(key):
        raise BadInput("key", _("The key is 8 to 64 letters, digits, - or _ that name this one request."))
    return key


def new_key() -> str:
    """A key for a form of a page."""
    return uuid.uuid4().hex


def items(fields: Fields) -> dict[str, int]:
    """Units of each product: the object ``items`` of JSON, or the fields ``items.<product>`` of a form.

    Raises:
        BadInput: when they make no sense, or there is none.
    """
    chosen = some_items(fields)
    if not chosen:
        raise BadInput("items", _("Choose at least one product."))
    return chosen


def some_items(fields: Fields) -> dict[str, int]:
    """The same, where none is fine."""
    found = fields.get("items")
    if found is None:
        named = {name: value for name, value in fields.items() if name.startswith("items.")}
        found = {name.removeprefix("items."): _number(value) for name, value in named.items()}
    if not isinstance(found, dict):
        raise BadInput("items", _("The items are an object of products and quantities."))
    for product, quantity in found.items():
        if not PRODUCT.fullmatch(product):
            raise BadInput("items", _("There is no such product."))
        if type(quantity) is not int or not 0 <= quantity <= LIMIT:
            raise BadInput("items", _("A quantity is 1 to {limit}."), limit=LIMIT)
    return {product: quantity for product, quantity in found.items() if quantity}


def word(fields: Fields, name: str) -> str:
    """A word that is chosen among some."""
    return _text(fields, name, 40)


def next_path(fields: Fields) -> str:
    """Where to go on: a path on this site, or the sale."""
    path = _text(fields, "next", 2000, default="") or "/sale"
    if not path.startswith("/") or path.startswith("//") or not _printable(path) or "\\" in path:
        raise BadInput("next", _("The way on must be a path on this site."))
    return path


def _text(fields: Fields, name: str, longest: int, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise BadInput(name, _("The field {field} is missing."))
    if len(value) > longest:
        raise BadInput(name, _("The field {field} may have at most {longest} characters."), longest=longest)
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise BadInput(name, _("The field {field} holds characters that are none."))
    return value


def _number(value: object) -> int:
    if value == "":
        return 0
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 3:
        return int(value)
    raise BadInput("items", _("A quantity is 1 to {limit}."), limit=LIMIT)


def _printable(path: str) -> bool:
    return path.isascii() and path.isprintable() and " " not in path
