"""Who asks, and how: address, scheme and host, behind any number of trusted proxies.

`X-Forwarded-*` is believed only where a trusted proxy wrote it. Whoever else sends it has made it up.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import hdrs, web

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def client_address(request: web.BaseRequest, trusted: Sequence[Network]) -> Address | None:
    """Give the IP address of the shopper: the nearest one that is no trusted proxy.

    The chain is read from our end, since everything before the last trusted entry may be invented. If it ends
    or stops making sense before an untrusted address, the last one that made sense counts. None for a
    connection without an address (a unix socket).
    """
    nearest = None
    for hop in _hops(request):
        address = _address(hop)
        if address is None:
            break
        nearest = address
        if not _within(address, trusted):
            break
    return nearest


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
    return address is not None and _within(address, trusted)


def _claim(request: web.BaseRequest, header: str, trusted: Sequence[Network]) -> str:
    if header not in request.headers or not from_trusted(request, trusted):
        return ""
    return request.headers.getall(header)[-1].rpartition(",")[2].strip()  # what the nearest proxy wrote


def _hops(request: web.BaseRequest) -> Iterator[str]:
    yield request.remote or ""
    yield from reversed(",".join(request.headers.getall(hdrs.X_FORWARDED_FOR, ())).split(","))


def _address(hop: str) -> Address | None:
    """Read an address, with or without a port; a zone is dropped, a mapped IPv4 address unwrapped."""
    text = hop.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
