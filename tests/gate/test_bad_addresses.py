"""Addresses and heads that were made to confuse: no spelling gets around the door, no line becomes a header."""

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOM
from tests.gate.front import BASE, Front
from waitroom.tickets import pass_cookie

fuzzed = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


SPELLINGS = """
/SALE /Sale //sale ///sale /%73ale /%53ALE /s%61le /x/../sale /x/%2e%2e/sale /x/.%2E/sale /./sale
/sale/. /sale/../sale /../sale /sale; /sale;x /sale;x=y/z /sale. /sale.. /sale%20 /%20sale /sale/ /sale?
/sale?x /sale%3Fx /sale%23x /\uff53ale /%EF%BD%93ale /%C5%BFale /sal\u0435/../sale /sale%c2%ad
/s%e2%80%8bale /waitroom/../sale http://shop.example/sale http://SHOP.example/%73ale
HTTP://shop.example//sale
"""
PIECES = "sale SALE s ale / // .. . %2e %2f %5c \\ ; ;x %73 %25 % ? # %00 %0a x waitroom mi-launch"
AMBIGUOUS = """
/\\sale /x\\..\\sale /x/..\\sale /%5csale /%2fsale /x%2f..%2fsale /x/..%5csale /%2573ale /%252e/sale
/sale%00 /%00/sale /sale%0a /%0d%0asale /sale%0d%0aX: /%/sale /sal%e /%u0073ale /%c0%afsale /%ff/sale
/sale%ef%bc%8fx /x/...%2fsale /.../sale /x/%2e%2e%2fsale /sale%c2%85 http://evil.example/sale
http://shop.example@evil.example/sale http://shop.example:80/sale http:///sale https:shop.example/sale
sale *
"""


@pytest.mark.parametrize("target", SPELLINGS.split())
async def test_no_spelling_gets_around_the_door(full: Front, target: str) -> None:
    """However a server might read it as /sale, a browser without a pass is sent to wait, and the shop hears nothing."""
    for sent in {target.encode(), target.encode("utf-8", "replace")}:
        answer = await full.ask_for(sent)
        assert answer.status in {303, 400}, answer
        if answer.status == 303:
            assert answer.headers["Location"].startswith(f"{BASE}?next=%2F")
    assert full.shop.asked == []
    answer = await full.ask_for(target, f"Cookie: {pass_cookie(ROOM)}={full.good_pass()}")
    assert answer.status in {200, 400}


@pytest.mark.parametrize("target", AMBIGUOUS.split())
async def test_what_servers_read_differently_is_refused(front: Front, target: str) -> None:
    """400, with a pass or without; the shop hears nothing."""
    for headers in ((), (f"Cookie: {pass_cookie(ROOM)}={front.good_pass()}",)):
        answer = await front.ask_for(target, *headers)
        assert answer.status == 400
        if answer.headers["Content-Type"] == "application/problem+json":
            assert answer.problem == (400, "bad-target")
    assert front.shop.asked == []


@fuzzed
@given(
    st.lists(
        st.sampled_from([*PIECES.split(), " ", "\u017f", "\uff0f"]),
        max_size=8,
    ).map("".join)
)
async def test_the_shop_never_sees_its_protected_name_without_a_pass(full: Front, rest: str) -> None:
    """Whatever is built of such pieces: what reaches the shop is not under /sale, as any server may read it."""
    full.shop.asked.clear()
    answer = await full.ask_for("/" + rest)
    assert answer.status in {200, 303, 400, 404, 405}
    for path in full.shop.paths:
        first = path.partition("?")[0].strip("/").partition("/")[0].lower()
        assert first.partition(";")[0].strip(" .") != "sale"
        assert ".." not in path.partition("?")[0].split("/")


@pytest.mark.parametrize(
    "query",
    [
        "a" * 8000,
        "&" * 8000,
        "a&" * 3000,
        "=",
        "%",
        "%zz=%",
        "next=%00",
        "plain=1&next=%ff",
        "plain&hurdle=%ff",
        "plain=1&plain=2&next=/a&next=/b",
        "knock=1",
        "\u00e9=\u00e9",
        "a=" + "%" * 4000,
    ],
)
async def test_absurd_queries_are_passed_over(front: Front, query: str) -> None:
    """On every address of the gate; beyond the bound of a request line they are refused."""
    for address in ("", "/state", "/ticket", "/draw", "/log"):
        answer = await front.ask_for(f"{BASE}{address}?{query}")
        assert answer.status in {200, 400, 401, 404}


@pytest.mark.parametrize(
    "after",
    ["-", "-5", "5-", "1-2-3", "+1", "$", "(5", "9" * 20, "1" * 4000, "\u0661", "0x1", "", "*", "1 2"],
)
async def test_the_record_is_asked_by_ids_alone(front: Front, after: str) -> None:
    """Anything else is 400 and does not reach the store."""
    answer = await front.shopper().get(f"{BASE}/log?after={quote(after)}")
    assert answer.problem == (400, "bad-request")


@pytest.mark.parametrize("after", ["0", "1", "1432033200000-0", f"{'9' * 19}-{'9' * 19}"])
async def test_every_id_is_taken(front: Front, after: str) -> None:
    """From the first to beyond the last."""
    assert (await front.shopper().get(f"{BASE}/log?after={after}")).status == 200


# ---- Heads


@pytest.mark.parametrize(
    "host", ["", "evil.example", "[::1", "a b", "x:99999", "\u00e9", "a" * 4000, "<script>"]
)
async def test_a_weird_host_changes_nothing(full: Front, host: str) -> None:
    """No address that the gate makes takes its host from the request."""
    for target, expected in (("/sale", {303}), (f"{BASE}/state", {200}), ("/free", {200, 502})):
        head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
        answer = await full.ask(head.encode())
        assert answer.status in {*expected, 400}
        if answer.status == 303:
            assert answer.headers["Location"] == f"{BASE}?next=%2Fsale"
    assert (await full.ask(b"GET /sale HTTP/1.0\r\nAccept: text/html\r\n\r\n")).status == 303


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n Folded: y\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    ],
    ids=range(13),
)
async def test_what_is_no_http_is_refused(front: Front, request_bytes: bytes) -> None:
    """400 and the end of the connection: no shop, no smuggled second request."""
    answer = await front.ask(request_bytes + b"GET /free HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.status == 400
    assert "/free" not in front.shop.paths


async def test_no_header_is_made_of_what_a_shopper_sends(full: Front) -> None:
    """Line breaks, however they are written, never end a header of an answer."""
    for target in (
        "/sale?a=%0d%0aSet-Cookie:%20evil=1",
        "/sale?%0aX-Evil:1",
        "/sale/%E5%98%8D%E5%98%8AX-Evil:1",
    ):
        answer = await full.ask_for(target)
        assert not {"X-Evil"} & set(answer.headers)
        assert not [
            each for each in answer.headers.getall("Set-Cookie", ()) if "evil" in each.partition(";")[0]
        ]
        assert "\n" not in answer.headers.get("Location", "")


@pytest.mark.parametrize("accept", ["text/html", "*/*", "", "text/html;q=0", "\u00e9", "a" * 5000])
async def test_any_accept_header_is_answered(front: Front, accept: str) -> None:
    """It decides only whether the answer is a page or a document."""
    answer = await front.shopper().get("/waitroom/none", {"Accept": accept})
    is_page = answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert (answer.status, is_page) == (404, "text/html" in accept)
