"""Which of our languages the sender of a request reads."""

from collections.abc import Iterable

from aiohttp import hdrs, web

from gate.cookies import read_cookie
from waitroom import languages as all_languages
from waitroom.languages import COOKIE, Reader, kept_choice


def choose(
    request: web.BaseRequest, languages: Iterable[str], *, by_address: bool = True, by_cookie: bool = True
) -> Reader:
    """Who reads the answer: the address' ``lang``, else the choice that is kept, else ``Accept-Language``."""
    return all_languages.choose(
        languages,
        named=request.query.get("lang", "") if by_address else "",
        kept=(read_cookie(request, COOKIE) if by_cookie else None) or "",
        header=", ".join(request.headers.getall(hdrs.ACCEPT_LANGUAGE, ())),
    )


def keep_choice(
    request: web.BaseRequest, response: web.Response, languages: Iterable[str], *, secure: bool
) -> web.Response:
    """Let the reader's browser keep the language in the address, if they would get another one without."""
    chosen = choose(request, languages).language
    if chosen != choose(request, languages, by_address=False).language:
        response.headers.add(hdrs.SET_COOKIE, kept_choice(chosen, secure=secure))
    return response
