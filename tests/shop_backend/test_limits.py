"""How often passwords may be tried and accounts be made."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop_backend.errors import TooMany
from shop_backend.limits import Limit, client_of
from tests.shop_backend.conftest import Client, Shop
from waitroom.clock import ManualClock

ELSEWHERE = {"X-Forwarded-For": "203.0.113.7"}


def granted(limit: Limit, key: str) -> bool:
    """Whether one more is allowed."""
    try:
        limit.take(key)
    except TooMany:
        return False
    return True


@given(waits=st.lists(st.integers(0, 5_000), max_size=60), burst=st.integers(1, 5))
def test_no_window_holds_more_than_burst_and_rate(waits: list[int], burst: int) -> None:
    """And whoever waits as long as they are told is heard."""
    clock = ManualClock(0)
    limit = Limit(clock, burst, 1_000)
    heard = []
    for wait in waits:
        clock.advance(wait)
        try:
            limit.take("ann")
        except TooMany as error:
            clock.advance(int(error.facts["retry_after_s"]) * 1_000)
            limit.take("ann")
        heard.append(clock.now_ms())
    for i, began in enumerate(heard):
        for n, ended in enumerate(heard[i:], start=1):
            assert n <= burst + (ended - began) / 1_000


@given(keys=st.lists(st.text("abcdefgh", min_size=1, max_size=2), max_size=200))
def test_memory_is_bounded_and_the_busy_are_remembered(keys: list[str]) -> None:
    """Whatever is sent, no more keys are kept than are allowed, and who came last is among them."""
    limit = Limit(ManualClock(0), 2, 1_000, most_keys=5)
    for key in keys:
        granted(limit, key)
        assert len(limit._due) <= 5
        assert key in limit._due


def test_who_has_been_quiet_is_forgotten() -> None:
    """What a key has left comes back in time, and then nothing of it is kept."""
    clock = ManualClock(0)
    limit = Limit(clock, 2, 1_000)
    assert [granted(limit, "ann") for _ in range(3)] == [True, True, False]
    clock.advance(2_000)
    assert granted(limit, "ben")
    assert list(limit._due) == ["ben"]


CHAINS = [
    ("203.0.113.7", "203.0.113.7"),
    ("10.9.9.9, 203.0.113.7", "203.0.113.7"),
    ("1.1.1.1, 203.0.113.7, 10.1.2.3", "203.0.113.7"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("::ffff:203.0.113.7", "203.0.113.7"),
    ("fe80::1%eth0", "fe80::/64"),
    ("127.0.0.1", ""),
    ("203.0.113.7, ::1", ""),
    ("unknown", ""),
    ("", ""),
]


@pytest.mark.parametrize("chain, client", CHAINS)
def test_a_client_is_whom_the_nearest_trusted_proxy_saw(chain: str, client: str) -> None:
    """What stands before that is made up; a home's IPv6 addresses are one client; this machine is nobody."""
    assert client_of(chain, (ip_network("10.1.0.0/16"),)) == client


async def fail(visitor: Client, email: str, client: str) -> int:
    """Try a wrong password; answers the status."""
    sent = {"email": email, "password": "wrong horse"}
    answer = await visitor.post("/account/sign-in", json=sent, headers={"X-Forwarded-For": client})
    return answer.status


async def test_a_client_that_guesses_is_stopped(shop: Shop) -> None:
    """After 20 failures, at whichever accounts; others go on, and so does it when it has waited."""
    visitor = shop.visitor()
    assert (await visitor.enter("ann@example.org")).status == 200
    statuses = [await fail(visitor, f"{n}@example.org", "203.0.113.7") for n in range(21)]
    assert statuses == [401] * 20 + [429]
    right = {"email": "ann@example.org", "password": "correct horse"}
    stopped = await visitor.post("/account/sign-in", json=right, headers=ELSEWHERE)
    assert (stopped.status, stopped.headers["Retry-After"]) == (429, "20")
    assert stopped.document["type"] == "/problems/too-many"
    assert (await visitor.post("/account/sign-in", json=right)).status == 200
    shop.clock.advance(20_000)
    assert (await visitor.post("/account/sign-in", json=right, headers=ELSEWHERE)).status == 200


async def test_an_account_that_many_guess_at_is_closed_for_a_while(shop: Shop) -> None:
    """After 40 failures from anywhere, whether it is there or not; one client alone can't bring that about."""
    visitor = shop.visitor()
    statuses = [await fail(visitor, "ben@example.org", f"203.0.113.{n % 5}") for n in range(41)]
    assert statuses == [401] * 40 + [429]
    alone = [await fail(visitor, "ann@example.org", "198.51.100.1") for _ in range(25)]
    assert alone == [401] * 20 + [429] * 5
    assert await fail(visitor, "ann@example.org", "198.51.100.2") == 401


async def test_who_knows_the_password_is_never_stopped_for_signing_in(shop: Shop) -> None:
    """What succeeds does not count."""
    visitor = shop.visitor()
    await visitor.enter("ann@example.org")
    right = {"email": "ann@example.org", "password": "correct horse"}
    for _ in range(25):
        assert (await visitor.post("/account/sign-in", json=right, headers=ELSEWHERE)).status == 200


async def test_one_client_makes_so_many_accounts_and_no_more(shop: Shop) -> None:
    """Thirty at once, then one a minute."""
    visitor = shop.visitor()

    async def make(n: int) -> int:
        sent = {"email": f"{n}@example.org", "password": "correct horse"}
        return (await visitor.post("/account/register", json=sent, headers=ELSEWHERE)).status

    assert [await make(n) for n in range(31)] == [202] * 30 + [429]
    shop.clock.advance(60_000)
    assert [await make(n) for n in (31, 32)] == [202, 429]
