"""Bad input gets a clear problem document: never a fault, never another site, never a way around the door."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gate.bodies import MOST_BYTES
from tests.conftest import ROOM, SECRETS
from tests.gate.front import BASE, FORM, HTML, Answer, Front, pass_of, token_of
from waitroom.tickets import Pass, Tokens, pass_cookie, ticket_cookie

JSON = {"Content-Type": "application/json"}
POSTED = pytest.mark.parametrize("address", ["ticket", "pass"])

fuzzed = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


async def post(front: Front, address: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    """Send these bytes with a ticket in hand that is called."""
    shopper = await front.in_line()
    await front.later(250)
    return await shopper.send("POST", f"{BASE}/{address}", headers or JSON, data=body)


def raw_post(address: str, *headers: str, body: bytes = b"") -> bytes:
    """A request as bytes."""
    lines = [f"POST {BASE}/{address} HTTP/1.1", "Host: x", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


# ---- Bodies


@POSTED
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"7",
        b"\xff",
        b"{'a': 1}",
        b"[" * 4000,
        b"9" * 4000,
        b'{"a":1}x',
        rb'{"a":"\ud800"}',
    ],
)
async def test_a_body_that_is_no_json_object_is_400(front: Front, address: str, body: bytes) -> None:
    """Broken, of another kind, nested too deep, not UTF-8, with half a character."""
    assert (await post(front, address, body)).problem == (400, "bad-request")


@POSTED
@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "bogus", "application/json-patch+json"])
async def test_a_body_of_another_kind_is_400(front: Front, address: str, kind: str) -> None:
    """A page of another site cannot send JSON without asking, so nothing else is taken for it."""
    answer = await post(front, address, b"{}", {"Content-Type": kind})
    assert answer.problem == (400, "bad-request")
    assert "application/json" in answer.document["detail"]


@POSTED
@pytest.mark.parametrize("kind", [JSON, FORM])
async def test_an_oversized_body_is_413(front: Front, address: str, kind: dict[str, str]) -> None:
    """The bound holds for JSON and forms, with a length and without."""
    assert (await post(front, address, b" " * (MOST_BYTES + 1), kind)).problem == (413, "too-large")
    chunk = b"2000\r\n" + b" " * 0x2000 + b"\r\n0\r\n\r\n"
    request = raw_post(
        address, f"Content-Type: {kind['Content-Type']}", "Transfer-Encoding: chunked", body=chunk
    )
    shopper = await front.in_line()
    request = request.replace(b"Host: x", f"Host: x\r\nCookie: waitroom={token_of(shopper)}".encode())
    assert (await front.ask(request)).problem == (413, "too-large")


@POSTED
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, identity", "bomb"])
async def test_a_compressed_body_is_refused_unopened(front: Front, address: str, coding: str) -> None:
    """A bomb of a few bytes is not unpacked to see what is in it."""
    bomb = gzip.compress(b" " * 1_000_000)
    for kind in (JSON, FORM):
        answer = await post(front, address, bomb[:MOST_BYTES], {**kind, "Content-Encoding": coding})
        assert answer.problem == (400, "bad-request")
        assert "Content-Encoding" in answer.document["detail"]


@pytest.mark.parametrize("value", [7, True, [], {}, "", "ab", "zz" * 32, "ab" * 31, "ab" * 33, "é" * 64])
async def test_entropy_is_32_bytes_in_hexadecimal_or_nothing(front: Front, value: object) -> None:
    """Of another type, length or alphabet it is 400, in JSON and in a form."""
    answer = await post(front, "ticket", json.dumps({"entropy": value}).encode())
    assert answer.problem == (400, "bad-request")
    assert "64 hexadecimal digits" in answer.document["detail"]
    form = await front.shopper().submit("ticket", entropy="zz")
    assert (form.status, "64 hexadecimal digits" in form.text) == (400, True)


@pytest.mark.parametrize(
    "kind,body",
    [
        ("application/x-www-form-urlencoded", b"next=\xff"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"\xff"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nhello\r\n--x--"),
        ("multipart/form-data", b""),
    ],
)
@POSTED
async def test_a_form_in_another_format_is_400(front: Front, address: str, kind: str, body: bytes) -> None:
    """Forms are UTF-8 and urlencoded; files are not taken."""
    assert (await post(front, address, body, {"Content-Type": kind})).problem == (400, "bad-request")


@POSTED
async def test_a_form_names_its_charset_in_vain(front: Front, address: str) -> None:
    """An unknown charset is no reason to fail: a form is UTF-8."""
    kind = {"Content-Type": "application/x-www-form-urlencoded; charset=bogus"}
    assert (await post(front, address, b"next=%2Fsale&next=%ff&=&&;", kind)).status == 303


@POSTED
async def test_a_body_that_breaks_off_is_refused(front: Front, address: str) -> None:
    """Malformed in the middle, after a good beginning."""
    head = raw_post(address, "Content-Type: application/json", "Transfer-Encoding: chunked")
    for rest in (b"zz\r\n", b"1\r\n{\r\nzz\r\n"):
        assert (await front.ask(head + rest)).status == 400


@POSTED
async def test_a_body_that_never_ends_does_not_hold_the_gate(
    front: Front, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops in the middle is told so, and the connection is closed."""
    monkeypatch.setattr("gate.bodies.PATIENCE_S", 0.01)
    request = raw_post(address, "Content-Type: application/json", "Content-Length: 10", body=b"{")
    assert (await front.ask(request)).problem == (408, "body-stalled")


@fuzzed
@given(
    st.dictionaries(
        st.sampled_from(["entropy", "next", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=80),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=8,
        ),
    )
)
@example({"next": "/\x00"})
@example({"next": "/" + "a" * 3000})
async def test_any_json_object_is_understood_or_refused(front: Front, body: dict[str, Any]) -> None:
    """Whatever the fields hold: an answer, and a location on this site."""
    sent = json.dumps(body).encode()
    for address in ("ticket", "pass"):
        answer = await post(front, address, sent)
        assert answer.status in {200, 201, 202, 400, 413}
        if answer.status == 201 and address == "pass":
            location = answer.document["location"]
            assert location.startswith("/")
            assert not location.startswith(("//", "/\\"))
            assert location.isascii()
            assert location.isprintable()


@fuzzed
@given(st.binary(max_size=300))
async def test_any_bytes_are_understood_or_refused(front: Front, body: bytes) -> None:
    """As JSON and as a form."""
    for address in ("ticket", "pass"):
        for kind in (JSON, FORM):
            assert (await post(front, address, body, kind)).status in {200, 201, 202, 303, 400}


# ---- Methods


@pytest.mark.parametrize(
    "address,allowed",
    [
        ("", "GET,HEAD"),
        ("/state", "GET,HEAD"),
        ("/ticket", "DELETE,GET,HEAD,POST"),
        ("/pass", "DELETE,GET,HEAD,POST"),
        ("/pass/extend", "POST"),
        ("/ticket/claim", "POST"),
        ("/draw", "GET,HEAD,POST"),
        ("/draw/0", "GET,HEAD"),
        ("/roll", "GET,HEAD"),
        ("/log", "GET,HEAD"),
    ],
)
async def test_a_wrong_method_is_405_and_hears_the_right_ones(
    front: Front, address: str, allowed: str
) -> None:
    """``Allow`` names what the address takes."""
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - set(allowed.split(",")):
        answer = await front.shopper().send(method, BASE + address)
        assert answer.problem == (405, "method-not-allowed")
        assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("method", ["CONNECT", "BREW", "get", "G\u00cbT", "GET\t"])
async def test_a_method_unheard_of_gets_nowhere(front: Front, method: str) -> None:
    """It is refused before any address is looked at."""
    answer = await front.ask_for("/sale", method=method)
    assert answer.status in {400, 404, 405}
    assert front.shop.asked == []


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    "address", ["/ticket", "/ticket/defer", "/ticket/move", "/ticket/claim", "/pass", "/pass/extend"]
)
async def test_a_page_of_another_site_changes_nothing(
    front: Front, address: str, site: str, kind: str
) -> None:
    """An empty form of theirs comes without our cookies, and must not bring a cookie that replaces the shopper's."""
    sent = {"Sec-Fetch-Site": site, "Content-Type": kind}
    answer = await (await front.in_shop()).send("POST", BASE + address, sent)
    assert answer.problem == (403, "forbidden")
    assert not answer.set_cookies()


# ---- Tokens and cookies


@fuzzed
@given(st.data())
async def test_an_edited_token_is_worth_nothing(front: Front, data: st.DataObject) -> None:
    """Change, cut or double any character but the signature's last, whose low bits carry nothing."""
    at, put = data.draw(st.integers(0, 1000)), data.draw(st.sampled_from(["", *"abcXYZ019._-"]))
    shopper = await front.in_shop()
    for name, address in ((ticket_cookie(ROOM), f"{BASE}/ticket"), (pass_cookie(ROOM), "/sale")):
        token = shopper.cookies[name]
        i = at % (len(token) - 1)
        edited = token[:i] + (put if put != token[i] else put * 2) + token[i + 1 :]
        answer = await front.shopper(**{name: edited}).get(address)
        assert answer.status in {401, 429}, edited


@fuzzed
@given(st.binary(max_size=60).filter(lambda raw: not set(raw) & set(b"\0\r\n")))
async def test_any_bytes_for_a_token_are_answered(front: Front, raw: bytes) -> None:
    """In cookies and in Authorization: 401, or 400 where it is no HTTP, and never a way in."""
    for header in (
        b"Cookie: waitroom_ticket_mi-launch=" + raw,
        b"Cookie: " + raw + b"; waitroom_pass_mi-launch=" + raw,
        b"Authorization: Waitroom " + raw,
        b"Authorization: " + raw,
    ):
        head = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + b"\r\n\r\n"
        assert (await front.ask(b"GET /waitroom/mi-launch/ticket" + head)).status in {400, 401}
        assert (await front.ask(b"GET /sale" + head)).status in {400, 429}


async def test_forged_and_foreign_tickets_get_no_place(front: Front) -> None:
    """Signed by another site, of another room, or of another purpose."""
    shopper = await front.in_shop()
    ticket = front.tokens.read_ticket(token_of(shopper), ROOM)
    for forged in (
        Tokens(["the secret of another site"]).sign_ticket(ticket),
        front.tokens.sign_ticket(type(ticket)("outlet", 0, ticket.id)),
        pass_of(shopper),
        front.identity("anna"),
        "",
        "0",
        token_of(shopper).rpartition(".")[0],
    ):
        holder = front.shopper(**{ticket_cookie(ROOM): forged})
        assert (await holder.stand()).problem == (401, "token-invalid")
        assert (await holder.knock()).problem == (401, "token-invalid")
        assert (await holder.send("DELETE", f"{BASE}/ticket")).problem == (401, "token-invalid")
        assert (await holder.join()).status == 201


async def test_a_replayed_ticket_gets_no_second_place(front: Front) -> None:
    """A copied ticket is the same ticket: one visit, one pass; and after it, nothing."""
    shopper = await front.in_shop()
    copy = front.shopper(**{ticket_cookie(ROOM): token_of(shopper)})
    assert (await copy.knock()).document["token"] == pass_of(shopper)
    assert (await copy.join()).document["number"] == 0
    await shopper.send("DELETE", f"{BASE}/pass")
    assert (await copy.knock()).problem == (409, "spent")


async def test_tokens_outlive_a_change_of_keys(front: Front) -> None:
    """A ticket signed with an older secret keeps its place."""
    shopper = await front.in_line()
    ticket = front.tokens.read_ticket(token_of(shopper), ROOM)
    older = front.shopper(**{ticket_cookie(ROOM): Tokens(SECRETS[:1]).sign_ticket(ticket)})
    assert (await older.stand()).document["number"] == 0


async def test_of_two_cookies_with_one_name_the_first_counts(front: Front) -> None:
    """A cookie of another path or domain may come as well; it opens nothing that it could not open alone."""
    first, second = await front.in_line(), await front.in_line()
    name = ticket_cookie(ROOM)
    both = {"Cookie": f"{name}={token_of(second)}; {name}={token_of(first)}"}
    assert (await front.shopper().get(f"{BASE}/ticket", both)).document["number"] == 1
    bad = {"Cookie": f"{name}=bad; {name}={token_of(first)}"}
    assert (await front.shopper().get(f"{BASE}/ticket", bad)).problem == (401, "token-invalid")


@pytest.mark.parametrize("size", [7000, 20_000])
async def test_huge_cookies_are_passed_over_or_refused(front: Front, size: int) -> None:
    """Up to the bound of a header line they are looked through; beyond it the request is refused."""
    shopper = await front.in_line()
    cookie = "a=b; " * (size // 5) + f"{ticket_cookie(ROOM)}={token_of(shopper)}"
    answer = await front.shopper().get(f"{BASE}/ticket", {"Cookie": cookie})
    assert answer.status == (200 if size < 8000 else 400)


async def test_odd_cookies_do_no_harm(front: Front) -> None:
    """Empty parts, missing names, quotes and spaces."""
    shopper = await front.in_line()
    cookie = f' ; =; ;; "a"=";"; novalue;{ticket_cookie(ROOM)}={token_of(shopper)};='
    assert (await front.shopper().get(f"{BASE}/ticket", {"Cookie": cookie})).document["number"] == 0


async def test_a_pass_of_the_far_future_opens_nothing_today(front: Front) -> None:
    """Numbers of any size in a signed token are numbers."""
    far = Pass(ROOM, 10**18, 10**18, 10**30, 10**31)
    shopper = front.shopper(**{pass_cookie(ROOM): front.tokens.sign_pass(far)})
    assert (await shopper.get("/sale")).problem == (429, "waiting-room")
    assert (await shopper.send("DELETE", f"{BASE}/pass", HTML)).status == 204
