"""Headers pass the gate if they are meant for the other side, and only then."""

from ipaddress import ip_network

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict, CIMultiDictProxy

from gate.headers import set_cookie, to_shop, to_shopper, words

PROXY = (ip_network("10.0.0.0/8"),)
ONE_CONNECTION = (
    ("Connection", "keep-alive, X-Private"),
    ("Connection", "X-Secret ,Upgrade"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Authenticate", "Basic"),
    ("Proxy-Authorization", "Basic eDp5"),
    ("Proxy-Connection", "keep-alive"),
    ("TE", "trailers"),
    ("Trailer", "X-Checksum"),
    ("Upgrade", "h2c"),
    ("X-Private", "1"),
    ("x-secret", "2"),
)


def asked(*headers: tuple[str, str], peer: str = "192.0.2.1") -> web.BaseRequest:
    """Make a request with these headers."""
    return make_mocked_request("GET", "/", CIMultiDict(headers)).clone(remote=peer)


def answered(*headers: tuple[str, str]) -> CIMultiDictProxy[str]:
    """Make an answer's headers."""
    return CIMultiDictProxy(CIMultiDict(headers))


def test_headers_of_one_connection_end_at_the_gate() -> None:
    """Connection, all that it names, and the other headers between neighbours do not pass, either way."""
    kept = ("Accept", "text/html")
    assert dict(to_shop(asked(*ONE_CONNECTION, kept), ())) == {
        "Accept": "text/html",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "http",
    }
    assert dict(to_shopper(answered(*ONE_CONNECTION, kept))) == {"Accept": "text/html"}


def test_a_shopper_cannot_have_the_gate_drop_what_it_says_itself() -> None:
    """Naming the gate's own headers in Connection takes nothing away."""
    sent = to_shop(asked(("Host", "shop.test"), ("Connection", "Host, X-Forwarded-For")), ())
    assert sent["Host"] == "shop.test"
    assert sent["X-Forwarded-For"] == "192.0.2.1"


@pytest.mark.parametrize(
    "name",
    [
        "Waitroom-Command",
        "waitroom-units-left",
        "Waitroom_Units_Held",
        "WAITROOM-ANYTHING",
        "X-Real-IP",
        "Forwarded",
        "X-Forwarded-Port",
        "X_Forwarded_Prefix",
        "Expect",
    ],
)
def test_a_shopper_may_not_say_what_is_for_others_to_say(name: str) -> None:
    """The shop's words and a proxy's claims are dropped from a shopper's request, however they are spelt."""
    assert name not in to_shop(asked((name, "1")), PROXY)


def test_invented_addresses_are_overwritten() -> None:
    """What a shopper forwards about itself is replaced by what the gate sees."""
    sent = to_shop(
        asked(
            ("Host", "shop.test"),
            ("X-Forwarded-For", "1.2.3.4"),
            ("X_Forwarded_For", "1.2.3.4"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "evil.test"),
        ),
        PROXY,
    )
    assert list(sent.items()) == [
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "shop.test"),
        ("Host", "shop.test"),
    ]


def test_a_trusted_proxy_is_taken_at_its_word() -> None:
    """Its chain is continued, its scheme and host are passed on, and its other claims stay."""
    sent = to_shop(
        asked(
            ("Host", "inside"),
            ("X-Forwarded-For", "1.2.3.4"),
            ("X-Forwarded-For", "5.6.7.8"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "shop.test"),
            ("X-Forwarded-Port", "443"),
            peer="10.0.0.1",
        ),
        PROXY,
    )
    assert list(sent.items()) == [
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-For", "1.2.3.4, 5.6.7.8, 10.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.test"),
        ("Host", "inside"),
    ]


def test_a_connection_without_an_address_is_unknown() -> None:
    """Behind a unix socket there is no address to forward (RFC 7239, section 6.2)."""
    assert to_shop(asked(peer=""), ())["X-Forwarded-For"] == "unknown"


def test_passes_cookies_and_repeated_headers_go_on() -> None:
    """What is for the shop arrives whole and in order, also the gate's tokens: the shop checks them itself."""
    given = (
        ("Authorization", "Waitroom abc"),
        ("Cookie", "waitroom_pass_mi-launch=x; a=b"),
        ("X-Tag", "1"),
        ("X-Tag", "2"),
    )
    assert list(to_shop(asked(*given), ()).items())[:4] == list(given)


@pytest.mark.parametrize(
    "held, sent",
    [
        ([], "pass=new"),
        (["a=1"], "a=1; pass=new"),
        (["pass=old; a=1", "b=2;pass = older;; passport=3"], "a=1; b=2; passport=3; pass=new"),
    ],
)
def test_a_cookie_of_the_gate_takes_the_place_of_an_old_one(held: list[str], sent: str) -> None:
    """A shopper who goes straight in brings a pass to the shop, and no stale one beside it."""
    headers = CIMultiDict([("cookie", value) for value in held])
    set_cookie(headers, "pass=new")
    assert headers == {"Cookie": sent}


def test_bytes_that_are_no_utf8_are_read_as_latin_1() -> None:
    """A value in Latin-1, which the parser gives as lone surrogates, goes on in UTF-8 instead of failing."""
    assert to_shopper(answered(("X-Old", "caf\udce9"), ("X-New", "café"))) == {
        "X-Old": "café",
        "X-New": "café",
    }


def test_the_shop_speaks_to_the_gate_alone() -> None:
    """Its words are picked out under their own names, and no header of theirs reaches the shopper."""
    answer = answered(
        ("waitroom-command", "leave"),
        ("Waitroom-Units-Left", "3"),
        ("Waitroom-Later", "x"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
    )
    assert words(answer) == {"Waitroom-Command": "leave", "Waitroom-Units-Left": "3"}
    assert list(to_shopper(answer).items()) == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


def test_a_length_beside_chunks_is_not_passed_on() -> None:
    """Chunks say where a message ends; a length beside them would contradict."""
    assert to_shopper(answered(("Content-Length", "5"), ("Transfer-Encoding", "chunked"))) == {}
    assert to_shopper(answered(("Content-Length", "5"))) == {"Content-Length": "5"}


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\x00b", "a\x7fb"])
def test_an_answer_cannot_smuggle_in_headers(value: str) -> None:
    """Control characters in a header of the shop make its answer worthless."""
    with pytest.raises(ValueError, match="control"):
        to_shopper(answered(("X-Odd", value)))


def test_the_shop_never_sees_an_operators_credentials() -> None:
    """Cookies know no ports, so the console's cookie comes along on the same machine; it ends at the gate."""
    both = asked(("Cookie", "a=1; waitroom_operator=secret; b=2"), ("Cookie", "waitroom_operator=other"))
    assert to_shop(both, ())["Cookie"] == "a=1; b=2"
    assert "Cookie" not in to_shop(asked(("Cookie", "waitroom_operator=secret")), ())
