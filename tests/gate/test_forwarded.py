"""The gate knows who asks and how, and believes only proxies it was told to trust."""

from ipaddress import ip_address, ip_network

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gate.forwarded import client_address, from_trusted, host, scheme

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))


def asked_by(peer: str | None, *headers: tuple[str, str]) -> web.BaseRequest:
    """Make a request that comes over a connection from `peer`."""
    return make_mocked_request("GET", "/", CIMultiDict(headers)).clone(remote=peer or "")


@pytest.mark.parametrize(
    "peer, chain, address",
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.7, 10.9.9.9"], "198.51.100.7"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.7, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("10.0.0.1", ["[2001:db9::5]:4711"], "2001:db9::5"),
        ("10.0.0.1", ["2001:db9::5"], "2001:db9::5"),
        ("10.0.0.1", ["2001:db9::5%<script>"], "2001:db9::5"),
        ("2001:db8::1", ["198.51.100.7"], "198.51.100.7"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        (None, ["198.51.100.7"], None),
    ],
)
def test_the_shopper_is_the_nearest_address_that_is_no_trusted_proxy(
    peer: str | None, chain: list[str], address: str | None
) -> None:
    """Entries are believed from our end of the chain on, as far as trusted proxies wrote them."""
    request = asked_by(peer, *(("X-Forwarded-For", part) for part in chain))
    assert client_address(request, PROXIES) == (ip_address(address) if address else None)


@pytest.mark.parametrize(
    "peer, claimed, expected",
    [
        ("10.0.0.1", ["https"], "https"),
        ("10.0.0.1", ["HTTPS"], "https"),
        ("10.0.0.1", ["http, https"], "https"),
        ("10.0.0.1", ["http", "https"], "https"),
        ("10.0.0.1", ["gopher"], "http"),
        ("10.0.0.1", [], "http"),
        ("2001:db8::1", ["https"], "https"),
        ("2001:db8::1%eth0", ["https"], "https"),
        ("::ffff:10.0.0.1", ["https"], "https"),
        ("::ffff:192.0.2.1", ["https"], "http"),
        ("192.0.2.1", ["https"], "http"),
        (None, ["https"], "http"),
    ],
)
def test_the_scheme_is_what_the_nearest_trusted_proxy_says(
    peer: str | None, claimed: list[str], expected: str
) -> None:
    """Secure cookies depend on it, so nobody else may say it."""
    request = asked_by(peer, *(("X-Forwarded-Proto", value) for value in claimed))
    assert scheme(request, PROXIES) == expected


@pytest.mark.parametrize(
    "peer, headers, expected",
    [
        ("10.0.0.1", [("Host", "inside"), ("X-Forwarded-Host", "shop.test")], "shop.test"),
        ("192.0.2.1", [("Host", "inside"), ("X-Forwarded-Host", "evil.test")], "inside"),
        ("10.0.0.1", [("Host", "inside")], "inside"),
        ("10.0.0.1", [], ""),
    ],
)
def test_the_host_is_the_one_the_shopper_asked_for(
    peer: str, headers: list[tuple[str, str]], expected: str
) -> None:
    """A trusted proxy may name the host that it was asked for."""
    assert host(asked_by(peer, *headers), PROXIES) == expected


def test_nobody_is_trusted_by_default() -> None:
    """Without settings every connection counts as a shopper's own."""
    assert not from_trusted(asked_by("127.0.0.1"), ())
