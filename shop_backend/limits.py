"""How often somebody may try a password or make an account.

Memory is bounded: a limit knows so many keys at most, and forgets who has been quiet longest. The libraries for this
that we know keep every key until its time is over, so that whoever sends from many addresses decides how much.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from shop_backend.errors import SignInFailed, TooMany
from shop_backend.texts import _
from waitroom.clock import Clock

MOST_KEYS = 100_000


class Limit:
    """``burst`` at once, then one every ``interval_ms``: GCRA, as at the door of the waiting room."""

    def __init__(self, clock: Clock, burst: int, interval_ms: int, most_keys: int = MOST_KEYS) -> None:
        self._clock = clock
        self._interval_ms = interval_ms
        self._tolerance_ms = (burst - 1) * interval_ms
        self._most_keys = most_keys
        self._due: dict[str, int] = {}  # key -> theoretical arrival time, least lately used first

    def take(self, key: str) -> None:
        """Count one; nobody in particular (an empty key) is not counted.

        Raises:
            TooMany: when it is too soon; it does not count then.
        """
        if not key:
            return
        now = self._clock.now_ms()
        due = max(self._due.pop(key, now), now)
        wait = due - self._tolerance_ms - now
        self._due[key] = due if wait > 0 else due + self._interval_ms
        while (oldest := next(iter(self._due))) != key and self._spare(oldest, now):
            del self._due[oldest]
        if wait > 0:
            raise TooMany(_("Too many attempts. Please try again later."), retry_after_s=-(-wait // 1000))

    def give_back(self, key: str) -> None:
        """Let one not have counted."""
        if key in self._due:
            self._due[key] -= self._interval_ms

    def _spare(self, key: str, now: int) -> bool:
        return len(self._due) > self._most_keys or self._due[key] <= now


class Limits:
    """The limits of this shop.

    One client alone can't lock somebody out of their account, for it may fail no oftener than the account allows.
    """

    def __init__(self, clock: Clock) -> None:
        self._registering = Limit(clock, 30, 60_000)
        self._failing_clients = Limit(clock, 20, 20_000)
        self._failing_accounts = Limit(clock, 40, 20_000)

    def register(self, client: str) -> None:
        """Count a new account.

        Raises:
            TooMany: when this client has made enough for now.
        """
        self._registering.take(client)

    @contextmanager
    def signing_in(self, client: str, email: str) -> Iterator[None]:
        """Count what is tried within, if it ends in ``SignInFailed``; it does from the start, so that none slips by.

        Raises:
            TooMany: when this client has failed too often, or all have with this address.
        """
        self._failing_clients.take(client)
        self._failing_accounts.take(email)
        failed = False
        try:
            yield
        except SignInFailed:
            failed = True
            raise
        finally:
            if not failed:
                self._failing_clients.give_back(client)
                self._failing_accounts.give_back(email)


def client_of(chain: str, trusted: tuple[IPv4Network | IPv6Network, ...]) -> str:
    """Who asks: the last address in ``X-Forwarded-For`` that no trusted proxy has; for IPv6 its /64 network.

    Empty when it is not known, or is this machine: a rehearsal, or a proxy that tells no address.
    """
    for hop in reversed(chain.split(",")):
        try:
            address = ip_address(hop.strip().partition("%")[0])
        except ValueError:
            return ""
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        if address.is_loopback:
            return ""
        if not any(address in network for network in trusted):
            return str(address if address.version == 4 else ip_network((address, 64), strict=False))
    return ""
