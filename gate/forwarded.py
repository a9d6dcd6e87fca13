"""How the shopper asks: scheme and host, behind any number of trusted proxies.

`X-Forwarded-*` is believed only where a trusted proxy wrote it. Whoever else sends it has made it up.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import hdrs, web

Network = IPv4Network | IPv6Network


def scheme(request: web.BaseRequest, trusted: Sequence[Network]) -> str:
    """Say whether the shopper asks by `http` or `https`."""
    claimed = _claim(request, "X-Forwarded-Proto", trusted).lower()
    return claimed if claimed in {"http", "https"} else request.scheme


def host(request: web.BaseRequest, trusted: Sequence[Network]) -> str:
    """Give the host, with its port if any, that the shopper asked for; empty if HTTP/1.0 named none."""
    return _claim(request, "X-Forwarded-Host", trusted) or request.headers.get(hdrs.HOST, "")


def from_trusted(request: web.BaseRequest, trusted: Sequence[Network]) -> bool:
    """Say whether the connection comes from a trusted proxy."""
    address = _address(request.remote or "")
    return address is not None and any(address in network for network in trusted)


def _claim(request: web.BaseRequest, header: str, trusted: Sequence[Network]) -> str:
    if header not in request.headers or not from_trusted(request, trusted):
        return ""
    return request.headers.getall(header)[-1].rpartition(",")[2].strip()  # what the nearest proxy wrote


def _address(peer: str) -> IPv4Address | IPv6Address | None:
    """Read the address of a connection; a zone is dropped, a mapped IPv4 address unwrapped."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
