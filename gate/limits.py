"""How many may come from one network: the door's own arithmetic, for each network, in bounded memory."""

import math
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

from waitroom.errors import TooManyJoins
from waitroom.pace import CLOCK_FELL_MS, book, slot

MOST_NETWORKS: Final = 50_000
"""Networks in a generation of a limiter's memory; 100,000 take some 15 MB."""

NetworkKey: TypeAlias = tuple[int, int]
"""Version and number of a network."""

_HOME_BITS = 56
"""The smallest IPv6 network that a home is given (RIPE-690); whoever has it has 256 times the usual /64."""


def network_of(address: IPv4Address | IPv6Address | None) -> NetworkKey:
    """The network whose joins are counted together; connections without an address are one."""
    if address is None:
        return 0, 0
    host_bits = 0 if isinstance(address, IPv4Address) else 128 - _HOME_BITS
    return address.version, int(address) >> host_bits


class Limiter:
    """Lets one network do something once in ``interval_ms``, and ``burst`` times at once (GCRA, as at the door).

    What it remembers of a network is outdated after ``burst`` intervals. So it keeps two generations and forgets
    the older one at that age, or sooner when the younger is full: memory is bounded, whoever comes, and who comes
    from so many networks is not held back by a limit for each.
    """

    def __init__(self, interval_ms: float, burst: int) -> None:
        self._interval_ms = interval_ms
        self._burst = burst
        self._old: dict[NetworkKey, float] = {}
        self._young: dict[NetworkKey, float] = {}
        self._turned_at = 0

    def take(self, network: NetworkKey, now_ms: int) -> int:
        """Count one; answers when all that this network has taken is paid off (epoch ms).

        Raises:
            TooManyJoins: this one is too many.
        """
        longest_ms = self._burst * self._interval_ms
        tat = self._young.get(network) or self._old.get(network, 0.0)
        if tat > now_ms + longest_ms + CLOCK_FELL_MS:  # nobody can owe so much
            self._old, self._young, tat = {}, {}, 0.0
        due = slot(now_ms, tat, 0, self._burst, self._interval_ms)
        if due > now_ms:
            raise TooManyJoins(math.ceil((due - now_ms) / 1000))
        if len(self._young) >= MOST_NETWORKS or not 0 <= now_ms - self._turned_at < longest_ms:
            self._old, self._young, self._turned_at = self._young, {}, now_ms
        tat = self._young[network] = book(now_ms, tat, self._interval_ms)
        return math.ceil(tat)
