"""The way to the shop and back: a reverse proxy that streams both ways and holds no body in memory.

A request goes on under the path that the gate has checked, once, and its answer comes back as it is: no
redirect is followed, no cookie kept, nothing unpacked. If something fails before the answer has begun, a
`ProxyError` says what; if it fails later, the connection is cut, so that a half answer never looks whole.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

import aiohttp
from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict
from yarl import URL

from gate import headers
from gate.forwarded import Network

SERVER_OPTIONS: dict[str, Any] = {
    "auto_decompress": False,  # else an upload with Content-Encoding is unpacked, and its length is wrong
    "handler_cancellation": True,  # else nobody tells the proxy that the shopper has gone away
}
"""What `web.AppRunner` must be given for this proxy to keep its promises."""

UPLOAD_GRACE_S = 20.0
SLOWEST_UPLOAD = 8_000
"""An upload must bring so many bytes a second, on average, after its first seconds."""

OnAnswer = Callable[[Mapping[str, str]], Awaitable[None]]
"""Told what the shop says to the gate (`headers.WORDS`), before the shopper hears anything of the answer."""

OnBegin = Callable[[int], None]
"""Told the status of the shop's answer, as soon as it is there."""

_SAY_NOTHING_OF_OURS = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)


class ProxyError(Exception):
    """The request was not answered by the shop."""


class UpstreamTimeout(ProxyError):
    """The shop took too long to accept the connection, to read the request or to begin its answer."""


class UpstreamRefused(ProxyError):
    """The shop refused or cut the connection, or its answer made no sense."""


class UpgradeRefused(ProxyError):
    """The request asks for another protocol, such as WebSocket; the gate speaks HTTP alone."""


class BodyStalled(ProxyError):
    """The shopper stopped sending in the middle of the request."""


class BodyBroken(ProxyError):
    """The request's body is malformed, or its end is missing."""


class Upstream:
    """The shop, as seen from the gate; one a process, made and closed while the event loop runs.

    Args:
        origin: scheme, host and port of the shop.
        trusted: networks of the proxies in front of the gate whose `X-Forwarded-*` is believed.
        connect_timeout: seconds to get a connection, a free one of `connections` included.
        read_timeout: seconds of silence that the shop may keep, before its answer and within it; also the
            longest that it may leave a piece of the request unread.
        shopper_timeout: seconds of silence that a shopper may keep within an upload, and within which each
            piece of an answer must be taken; else slow shoppers would hold the shop's connections for good.
        connections: most connections to the shop at once.
    """

    def __init__(
        self,
        origin: str,
        *,
        trusted: Sequence[Network] = (),
        connect_timeout: float = 5,
        read_timeout: float = 30,
        shopper_timeout: float = 60,
        connections: int = 256,
    ) -> None:
        self._origin = str(URL(origin).origin())
        self._trusted = trusted
        self._read_timeout = read_timeout
        self._shopper_timeout = shopper_timeout
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_SAY_NOTHING_OF_OURS,
            timeout=aiohttp.ClientTimeout(total=None, connect=connect_timeout, sock_read=read_timeout),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections to the shop."""
        await self._session.close()

    async def forward(
        self,
        request: web.BaseRequest,
        target: str,
        *,
        cookie: str | None = None,
        on_begin: OnBegin | None = None,
        on_answer: OnAnswer | None = None,
        set_cookies: Sequence[str] = (),
    ) -> web.StreamResponse:
        """Have the shop answer a request, under `target` as `paths.normalise` gave it.

        The answer has been sent when this returns, or has been cut off where shop or shopper broke off.
        `cookie`, `name=value`, goes with the request as if the shopper had it already; `set_cookies` go with
        the answer, including those that `on_answer` adds to them.
        `on_begin` is called first; `on_answer` is called if the shop says something to the gate, and runs to its
        end even if the shopper goes away. A POST is sent once; an idempotent request without a body is sent a second
        time if the shop closes the connection before it answers.

        Raises:
            ProxyError: there is no answer; nothing has been sent to the shopper.
        """
        if _wants_upgrade(request):
            raise UpgradeRefused
        sent = headers.to_shop(request, self._trusted)
        if cookie is not None:
            headers.set_cookie(sent, cookie)
        given = await self._ask(request, target, sent)
        if on_begin is not None:
            on_begin(given.status)
        try:
            answer = _answer(given)
            said = headers.words(given.headers)
            if said and on_answer is not None:
                await asyncio.shield(on_answer(said))
            for each in set_cookies:
                answer.headers.add(hdrs.SET_COOKIE, each)
            await self._relay(given, answer, request)
        finally:
            given.close()  # a connection whose answer was read to its end has gone back to the pool before
        return answer

    async def listen(self, path: str, patience_s: float) -> dict[str, str]:
        """Ask the shop, for nobody's visit, what it has to say to the gate at `path`.

        Raises:
            ProxyError: it fails, or does not answer within `patience_s` seconds.
        """
        try:
            async with (
                asyncio.timeout(patience_s),
                self._session.get(URL(self._origin + path, encoded=True), allow_redirects=False) as given,
            ):
                if given.status >= 500:
                    raise UpstreamRefused
                return headers.words(given.headers)
        except TimeoutError as error:
            raise UpstreamTimeout from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamRefused from error

    async def _ask(
        self, request: web.BaseRequest, target: str, sent: CIMultiDict[str]
    ) -> aiohttp.ClientResponse:
        body = self._upload(request) if request.body_exists else None
        try:
            return await self._session.request(
                request.method,
                URL(self._origin + target, encoded=True),
                headers=sent,
                data=body,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            if body is not None and body.fault is not None:
                raise body.fault from error
            if isinstance(error, TimeoutError):
                raise UpstreamTimeout from error
            raise UpstreamRefused from error

    def _upload(self, request: web.BaseRequest) -> "_Upload":
        return _Upload(request.content, self._shopper_timeout, self._read_timeout)

    async def _relay(
        self, given: aiohttp.ClientResponse, answer: web.StreamResponse, request: web.BaseRequest
    ) -> None:
        try:
            await answer.prepare(request)
            async for piece in given.content.iter_any():
                async with asyncio.timeout(self._shopper_timeout):
                    await answer.write(piece)
            await answer.write_eof()
        except (aiohttp.ClientError, OSError):
            if request.transport is not None:
                request.transport.abort()


class _Upload(aiohttp.Payload):
    """A request's body on its way to the shop; `fault` is set if the shopper failed to send it."""

    fault: ProxyError | None = None

    def __init__(self, content: aiohttp.StreamReader, shopper_timeout: float, shop_timeout: float) -> None:
        super().__init__(content)
        self._started = asyncio.get_running_loop().time()
        self._received = 0
        self._shopper_timeout = shopper_timeout
        self._shop_timeout = shop_timeout

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Pass on what comes, no faster than the shop reads it."""
        self._consumed = True
        writer.send_headers()  # the shop may answer before the body begins
        while piece := await self._next():
            async with asyncio.timeout(self._shop_timeout):
                await writer.write(piece)

    async def _next(self) -> bytes:
        content: aiohttp.StreamReader = self._value
        try:
            async with asyncio.timeout(self._patience()):
                piece = await content.readany()
        except TimeoutError:
            self.fault = BodyStalled()
            raise
        except (aiohttp.ClientError, web.RequestPayloadError, OSError):
            self.fault = BodyBroken()
            raise
        self._received += len(piece)
        return piece

    def _patience(self) -> float:
        """Seconds to wait for the next piece: bodies that trickle would hold the shop's connections for good."""
        due = self._started + UPLOAD_GRACE_S + self._received / SLOWEST_UPLOAD
        return min(self._shopper_timeout, max(0, due - asyncio.get_running_loop().time()))

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse: the body is never in memory as a whole."""
        raise NotImplementedError


def _wants_upgrade(request: web.BaseRequest) -> bool:
    """Say whether another protocol is asked for; an offer of HTTP/2 (h2c) may be ignored, and is."""
    offers = {offer.strip().lower() for offer in request.headers.get(hdrs.UPGRADE, "").split(",")}
    return not offers <= {"", "h2c"}


def _answer(given: aiohttp.ClientResponse) -> web.StreamResponse:
    if given.status == 101:
        raise UpstreamRefused
    try:
        return web.StreamResponse(
            status=given.status,
            reason=headers.text(given.reason or ""),
            headers=headers.to_shopper(given.headers),
        )
    except ValueError as error:
        raise UpstreamRefused from error
