"""Small request bodies: JSON from scripts, forms from a browser without them."""

import asyncio
import binascii
import secrets
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import hdrs, web
from pydantic_core import from_json

from gate.problems import BadRequest
from gate.proxy import BodyBroken, BodyStalled

MOST_BYTES = 4096
ENTROPY_BYTES = 32
PATIENCE_S = 10  # whoever takes longer for so little holds a connection for nothing


def is_form(request: web.Request) -> bool:
    """Whether a plain HTML form was sent."""
    return request.content_type in {"application/x-www-form-urlencoded", "multipart/form-data"}


def refuse_foreign(request: web.Request) -> None:
    """Refuse what a page of another site, or of a neighbour under the same domain, has a browser send.

    A form of theirs carries no cookie of ours, but our answer's cookies would replace the shopper's own.

    Raises:
        HTTPForbidden: it is such a request.
    """
    if request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
        raise web.HTTPForbidden(
            text="this request comes from a page of another site; open the waiting page and go on there"
        )


async def read_json(request: web.Request) -> dict[str, Any]:
    """The JSON object in a body; an empty body is an empty object.

    Raises:
        HTTPForbidden: a page of another site sent it.
        BadRequest: it is anything else.
        BodyBroken, BodyStalled: it did not come whole, or not in time.
    """
    refuse_foreign(request)
    body = await _read(request)
    if not body:
        return {}
    if request.content_type != "application/json":
        raise BadRequest("the body must be JSON, sent as application/json")
    try:
        value = from_json(body)
    except ValueError:
        raise BadRequest("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    return value


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields of a plain form of our own pages.

    Raises:
        HTTPForbidden: a page of another site sent it.
        BadRequest: it is in another format.
        BodyBroken, BodyStalled: it did not come whole, or not in time.
    """
    refuse_foreign(request)
    if request.content_type == "multipart/form-data":
        raise BadRequest("the form must be sent as application/x-www-form-urlencoded")
    try:
        return dict(parse_qsl((await _read(request)).decode(), keep_blank_values=True))
    except UnicodeDecodeError:
        raise BadRequest("the form must be sent as UTF-8") from None


def entropy_in(body: dict[str, Any]) -> bytes:
    """The shopper's random bytes, 32 in hexadecimal; ours where none came, as from a browser without scripts.

    Raises:
        BadRequest: they are something else.
    """
    text = body.get("entropy")
    if text is None:
        return secrets.token_bytes(ENTROPY_BYTES)
    try:
        entropy = binascii.unhexlify(text)
    except (ValueError, TypeError):
        entropy = b""
    if len(entropy) != ENTROPY_BYTES:
        raise BadRequest("entropy must be 32 random bytes, written as 64 hexadecimal digits")
    return entropy


async def _read(request: web.Request) -> bytes:
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
        raise BadRequest("the body must be sent without Content-Encoding")
    try:
        if request.content.is_eof():  # it came with the head, as small bodies do: nothing to wait for
            body = request.content.read_nowait()
            if len(body) > MOST_BYTES:
                raise web.HTTPRequestEntityTooLarge(MOST_BYTES, len(body))
            return body
        async with asyncio.timeout(PATIENCE_S):
            return await request.read()
    except TimeoutError:
        raise BodyStalled from None
    except web.RequestPayloadError as error:
        raise BodyBroken from error
