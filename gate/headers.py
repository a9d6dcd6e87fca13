"""Which headers pass through the gate, in both directions.

Headers that speak of one connection end here (RFC 9110, section 7.6.1). `Waitroom-*` is the shop's language
to the gate: a shopper may not speak it, and does not hear it. `X-Forwarded-*` is the gate's to say, or a
trusted proxy's before it.
"""

import re
from collections.abc import Iterator, Sequence

from aiohttp import hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy

from gate.forwarded import Network, from_trusted, host, scheme
from waitroom.tickets import OPERATOR_COOKIE

WORDS = ("Waitroom-Command", "Waitroom-Units-Left", "Waitroom-Units-Held", "Waitroom-Room")
"""What the shop says to the gate."""

_OF_ONE_CONNECTION = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_ENDS_AT_GATE = _OF_ONE_CONNECTION | {
    "expect",  # aiohttp has answered it by 100 Continue
    "host",  # set anew, once
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
}
_CLAIMS = ("forwarded", "x-forwarded-", "x-real-ip")  # about the shopper; only a trusted proxy may make them
_SHOP_SPEECH = "waitroom-"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def to_shop(request: web.BaseRequest, trusted: Sequence[Network]) -> CIMultiDict[str]:
    """Give the headers with which a shopper's request goes on to the shop."""
    believed = from_trusted(request, trusted)
    headers: CIMultiDict[str] = CIMultiDict()
    named = _named_in_connection(request.headers)
    for name, value in request.headers.items():
        folded = name.lower().replace("_", "-")  # CGI and WSGI take X_Forwarded_For for X-Forwarded-For
        if folded in _ENDS_AT_GATE or folded in named or folded.startswith(_SHOP_SPEECH):
            continue
        if believed or not folded.startswith(_CLAIMS):
            headers.add(name, text(value))
    for name, value in _about_shopper(request, trusted, believed=believed):
        headers[name] = text(value)
    # Cookies know no ports: an operator who looks at the sale from the same machine sends this one too.
    if any(OPERATOR_COOKIE in cookies for cookies in headers.getall(hdrs.COOKIE, ())):
        drop_cookie(headers, OPERATOR_COOKIE)
    return headers


def drop_cookie(headers: CIMultiDict[str], name: str) -> None:
    """Take a cookie out of a request's headers."""
    held = (each.strip() for each in ";".join(headers.popall(hdrs.COOKIE, ())).split(";"))
    others = [each for each in held if each and each.partition("=")[0].rstrip() != name]
    if others:
        headers[hdrs.COOKIE] = "; ".join(others)


def set_cookie(headers: CIMultiDict[str], cookie: str) -> None:
    """Put a cookie, `name=value`, into a request's headers, in the place of any of that name."""
    drop_cookie(headers, cookie.partition("=")[0])
    headers[hdrs.COOKIE] = "; ".join([*headers.getall(hdrs.COOKIE, ()), cookie])


def to_shopper(answer: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Give the headers with which the shop's answer goes on to the shopper.

    Raises:
        ValueError: as `text`.
    """
    headers: CIMultiDict[str] = CIMultiDict()
    named = _named_in_connection(answer)
    for name, value in answer.items():
        folded = name.lower()
        if folded in _OF_ONE_CONNECTION or folded in named or folded.startswith(_SHOP_SPEECH):
            continue
        headers.add(name, text(value))
    if hdrs.TRANSFER_ENCODING in answer:  # then the length was not the message's
        headers.popall(hdrs.CONTENT_LENGTH, None)
    return headers


def words(answer: CIMultiDictProxy[str]) -> dict[str, str]:
    """Pick what the shop says to the gate, under the names of `WORDS`."""
    return {word: answer[word] for word in WORDS if word in answer}


def holds(request: web.BaseRequest, etag: str) -> bool:
    """Whether the asker has this version; a cache on the way may have weakened its tag (RFC 9110, 13.1.2)."""
    held = request.headers.get(hdrs.IF_NONE_MATCH)
    return held is not None and (held == "*" or etag.removeprefix("W/") in held)


def text(value: str) -> str:
    """Make a value fit to be sent: bytes that were no UTF-8, aiohttp's lone surrogates, are read as Latin-1.

    Raises:
        ValueError: the value contains control characters, so that it could end its line.
    """
    if _CONTROL.search(value):
        raise ValueError(f"control characters in {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _named_in_connection(headers: CIMultiDictProxy[str]) -> set[str]:
    return {name.strip().lower() for name in ",".join(headers.getall(hdrs.CONNECTION, ())).split(",")}


def _about_shopper(
    request: web.BaseRequest, trusted: Sequence[Network], *, believed: bool
) -> Iterator[tuple[str, str]]:
    chain = request.headers.getall(hdrs.X_FORWARDED_FOR, ()) if believed else ()
    yield hdrs.X_FORWARDED_FOR, ", ".join([*chain, request.remote or "unknown"])
    yield hdrs.X_FORWARDED_PROTO, scheme(request, trusted)
    if asked := host(request, trusted):
        yield hdrs.X_FORWARDED_HOST, asked
    if hdrs.HOST in request.headers:
        yield hdrs.HOST, request.headers[hdrs.HOST]
