"""Small bodies, read as what they are or not at all."""

import asyncio

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from gate.bodies import ENTROPY_BYTES, entropy_in, is_form, read_form, read_json
from gate.problems import BadRequest
from gate.proxy import BodyBroken


class Posted:
    """A request's body on its way."""

    def __init__(self, kind: str) -> None:
        self.content = StreamReader(BaseProtocol(loop=_loop()), 2**16, loop=_loop())
        headers = {"Content-Type": kind} if kind else {}
        self.request = make_mocked_request("POST", "/", headers, payload=self.content)

    def end(self, body: bytes = b"") -> web.Request:
        """All of it has arrived."""
        self.content.feed_data(body)
        self.content.feed_eof()
        return self.request


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


async def test_json_is_an_object() -> None:
    """With or without parameters of the type."""
    posted = Posted("application/json; charset=utf-8")
    assert await read_json(posted.end('{"next": "/é"}'.encode())) == {"next": "/é"}


async def test_no_body_is_an_empty_object() -> None:
    """Then no type is needed either."""
    assert await read_json(Posted("").end()) == {}


async def test_a_form_is_its_fields_the_last_of_a_name_counting() -> None:
    """UTF-8 and percent signs, whatever charset the type claims."""
    posted = Posted("application/x-www-form-urlencoded; charset=latin-1")
    assert is_form(posted.request)
    fields = await read_form(posted.end("next=/a&next=%2Fé+b&empty=&=x".encode()))
    assert fields == {"next": "/é b", "empty": "", "": "x"}


async def test_a_body_that_breaks_in_the_middle_is_a_problem_of_its_own() -> None:
    """Not a fault of the gate."""
    posted = Posted("application/json")
    posted.content.feed_data(b"{")
    posted.content.set_exception(web.RequestPayloadError("chunk"))
    with pytest.raises(BodyBroken):
        await read_json(posted.request)


async def test_entropy_is_the_shoppers_own_or_fresh() -> None:
    """64 hexadecimal digits in either case; without them the gate's, different each time."""
    assert entropy_in({"entropy": "aB" * 32}) == b"\xab" * 32
    ours = {entropy_in({}), entropy_in({"entropy": None})}
    assert {len(each) for each in ours} == {ENTROPY_BYTES}
    assert len(ours) == 2
    with pytest.raises(BadRequest, match="64 hexadecimal digits"):
        entropy_in({"entropy": "ab"})
