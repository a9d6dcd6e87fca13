"""Accounts: register, sign in, sign out, and the identity that the gate asks for."""

import asyncio
import re
import time
from collections import Counter

import pytest
from argon2 import PasswordHasher, extract_parameters
from sqlalchemy import select

from shop_backend.accounts import SESSION_MS
from shop_backend.context import ACCOUNTS, DATABASE
from shop_backend.errors import SignInFailed
from shop_backend.passwords import HASHER, LONGEST_QUEUE, Passwords
from shop_backend.tables import accounts, orders
from tests.shop_backend.conftest import Answer, Client, Shop
from waitroom.tickets import IDENTITY_COOKIE

ANN = {"email": "ann@example.org", "password": "correct horse"}
NEW = {"password": ANN["password"], "new_password": "battery staple"}
HTML = {"Accept": "text/html"}


async def register(visitor: Client, **changed: str) -> Answer:
    """Ask for an account."""
    return await visitor.post("/account/register", json=ANN | changed)


async def sign_in(visitor: Client, **changed: str) -> Answer:
    """Ask for a session."""
    return await visitor.post("/account/sign-in", json=ANN | changed)


async def ann(shop: Shop) -> Client:
    """Ann, who has an account and is signed in."""
    visitor = shop.visitor()
    assert (await register(visitor)).status == 202
    assert (await sign_in(visitor)).status == 200
    return visitor


async def is_signed_in(visitor: Client) -> bool:
    """Whether the shop knows who it is."""
    return (await visitor.get("/account")).status == 200


async def test_signing_in_gives_the_identity(shop: Shop) -> None:
    """The answer and the cookie carry it; it names the account and not the address."""
    visitor = shop.visitor()
    await register(visitor)
    assert not visitor.cookies
    answer = await sign_in(visitor)
    identity = shop.tokens.read_identity(visitor.cookies[IDENTITY_COOKIE], shop.clock.now_ms())
    assert answer.document == {"account": identity.subject, "identity": visitor.cookies[IDENTITY_COOKIE]}
    assert identity.expires_at == shop.clock.now_ms() + SESSION_MS
    assert "ann" not in identity.subject
    assert await is_signed_in(visitor)


async def test_one_account_is_always_the_same_identity(shop: Shop) -> None:
    """Signing in elsewhere, or with other capitals, is no second place in the line."""
    await register(shop.visitor())
    first, second = await sign_in(shop.visitor()), await sign_in(shop.visitor(), email=" Ann@Example.ORG ")
    assert (second.status, second.document["account"]) == (200, first.document["account"])


async def test_i9_a_repeated_registration_is_the_same_account(shop: Shop) -> None:
    """Also when the first answer was lost, or the button was clicked ten times."""
    answers = await asyncio.gather(*(register(shop.visitor()) for _ in range(10)))
    assert Counter(answer.status for answer in answers) == {202: 10}
    async with shop.app[DATABASE].read() as connection:
        assert len((await connection.scalars(select(accounts.c.id))).all()) == 1


@pytest.mark.parametrize("headers, statuses", [({}, [401, 202]), (HTML, [401, 303])])
async def test_nobody_is_told_which_addresses_have_an_account(
    shop: Shop, headers: dict[str, str], statuses: list[int]
) -> None:
    """Registering and failing to sign in look the same for both; the owner's password stays."""
    await register(shop.visitor())
    seen = []
    for email in (ANN["email"], "ben@example.org"):
        body = {"email": email, "password": "wrong horse"}
        for path in ("/account/sign-in", "/account/register"):
            answer = await shop.visitor().post(path, json=body, headers=headers)
            text = re.sub(r'name="form_token" value="\w+"', "", answer.text)
            seen.append((answer.status, answer.headers.get("Location"), "Set-Cookie" in answer.headers, text))
    assert seen[:2] == seen[2:]
    assert [status for status, *_ in seen[:2]] == statuses
    assert (await sign_in(shop.visitor(), password="wrong horse")).status == 401
    assert (await sign_in(shop.visitor())).status == 200


async def test_an_unknown_address_takes_as_much_work(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hash is made or verified and, when registering, one row is written, whether there is an account or not."""
    await register(shop.visitor())
    work: list[str] = []
    run = Passwords._run

    async def counted(self: Passwords, task: object) -> object:
        work.append("hash")
        return await run(self, task)  # type: ignore[arg-type]

    monkeypatch.setattr(Passwords, "_run", counted)
    for ask in (register, sign_in):
        for email in (ANN["email"], "ben@example.org"):
            await ask(shop.visitor(), email=email, password="wrong horse")
    assert len(work) == 4


async def test_a_session_ends_when_its_owner_signs_out(shop: Shop) -> None:
    """A copy of the cookie is worth nothing any more."""
    visitor, thief = await ann(shop), shop.visitor()
    thief.cookies = dict(visitor.cookies)
    assert (await visitor.post("/account/sign-out", json={})).status == 204
    assert visitor.cookies[IDENTITY_COOKIE] == ""
    assert not await is_signed_in(thief)


async def test_signing_in_again_ends_the_session_that_was_there(shop: Shop) -> None:
    """A browser has one session, and no other one is left behind."""
    visitor, copy = await ann(shop), shop.visitor()
    copy.cookies = dict(visitor.cookies)
    assert (await sign_in(visitor)).status == 200
    assert await is_signed_in(visitor)
    assert not await is_signed_in(copy)


async def test_a_session_ends_after_a_week(shop: Shop) -> None:
    """To the millisecond."""
    visitor = await ann(shop)
    shop.clock.advance(SESSION_MS - 1)
    assert await is_signed_in(visitor)
    shop.clock.advance(1)
    assert not await is_signed_in(visitor)


async def test_a_changed_password_ends_every_session(shop: Shop) -> None:
    """But the one that the change begins; the account, and so the place in the line, stays the same."""
    visitor, other, copy = await ann(shop), shop.visitor(), shop.visitor()
    first = await sign_in(other)
    copy.cookies = dict(visitor.cookies)
    changed = await visitor.post("/account/password", json=NEW)
    assert (changed.status, changed.document["account"]) == (200, first.document["account"])
    assert [await is_signed_in(each) for each in (visitor, other, copy)] == [True, False, False]
    assert (await sign_in(other)).status == 401
    assert (await sign_in(other, password=NEW["new_password"])).status == 200


async def test_a_sign_in_that_a_change_of_password_overtakes_opens_no_session(shop: Shop) -> None:
    """Who knew the old password is out, however close the race."""
    await ann(shop)
    accounts_ = shop.app[ACCOUNTS]
    verified = await accounts_.verify(**ANN)
    await accounts_.change_password(verified, "battery staple")
    with pytest.raises(SignInFailed):
        await accounts_.open_session(verified)


@pytest.mark.parametrize("path", ["/account/password", "/account/delete"])
async def test_the_account_is_changed_by_its_password_alone(shop: Shop, path: str) -> None:
    """A session that somebody found open changes nothing, and nobody's session even less."""
    visitor = await ann(shop)
    assert (await visitor.post(path, json=NEW | {"password": "wrong horse"})).status == 401
    assert (await shop.visitor().post(path, json=NEW)).status == 401
    assert (await sign_in(shop.visitor())).status == 200
    assert await is_signed_in(visitor)


async def test_all_sessions_end_at_once(shop: Shop) -> None:
    """On all devices, and no one else's."""
    visitor, other, ben = await ann(shop), shop.visitor(), shop.visitor()
    await sign_in(other)
    await ben.enter("ben@example.org")
    assert (await visitor.post("/account/sign-out-everywhere", json={})).status == 204
    assert [await is_signed_in(each) for each in (visitor, other, ben)] == [False, False, True]


async def test_of_a_deleted_account_only_what_was_sold_stays(shop: Shop) -> None:
    """Nobody signs in to it, its e-mail is nowhere and makes another account; what was held is free again."""
    visitor, other = await ann(shop), shop.visitor()
    before = await sign_in(other)
    visitor.cookies |= shop.pass_cookies()
    for bought in (True, False):
        order = (await visitor.order({"mi-band": 1})).document["id"]
        await visitor.ship(order)
        if bought:
            await visitor.pay(order)
    answer = await visitor.post("/account/delete", json={"password": ANN["password"]})
    assert (answer.status, visitor.cookies[IDENTITY_COOKIE]) == (204, "")
    assert not await is_signed_in(other)
    assert (await sign_in(other)).status == 401
    async with shop.app[DATABASE].read() as connection:
        [row] = (await connection.execute(select(accounts))).all()
        kept = (await connection.execute(select(orders.c.state, orders.c.address))).all()
    assert {state: bool(address) for state, address in kept} == {"paid": True, "cancelled": False}
    assert row.id == before.document["account"]
    assert ANN["email"] not in str(row)
    band = (await shop.stock())["mi-band"]
    assert (band.held, band.sold) == (0, 1)
    again = await ann(shop)
    assert (await again.get("/account")).document["account"] != row.id


async def test_what_is_no_address_or_no_password_makes_no_account(
    shop: Shop, subtests: pytest.Subtests
) -> None:
    """The problem names the field; a browser gets its form back with the reason."""
    for field, value in [
        ("email", "ann"),
        ("email", "ann@example"),
        ("email", "ann@exa mple.org"),
        ("email", "ann@example.org\r\nBcc: all@example.org"),
        ("email", "ann\0@example.org"),
        ("email", f"{'a' * 250}@example.org"),
        ("email", 7),
        ("password", "short"),
        ("password", "x" * 129),
        ("password", "seven \0 letters"),
        ("password", None),
    ]:
        with subtests.test(field=field, value=value):
            answer = await shop.visitor().post("/account/register", json={**ANN, field: value})
            assert (answer.status, answer.document["field"]) == (400, field)
            page = await shop.visitor().post("/account/register", json={**ANN, field: value}, headers=HTML)
            assert page.status == 400
            assert answer.document["detail"] in page.text.replace("&#39;", "'")
            assert 'name="password"' in page.text


def test_passwords_are_hashed_with_the_parameters_that_owasp_names() -> None:
    """argon2id with at least 19 MiB and two passes."""
    found = extract_parameters(HASHER.hash("x"))
    assert (found.type.name, found.memory_cost, found.time_cost, found.parallelism) == ("ID", 19_456, 2, 1)


async def test_hashing_never_holds_up_the_server() -> None:
    """While the threads hash, the event loop goes on."""
    passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1), threads=1)
    hashing = asyncio.gather(*(passwords.hash("correct horse") for _ in range(8)))
    turns, began = 0, time.monotonic()
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    passwords.close()
    assert turns > 8, time.monotonic() - began
    assert len(set(hashing.result())) == 8


def test_nobody_waits_for_a_hash_longer_than_the_gate_does() -> None:
    """A slow machine makes 30 a second, and the gate gives up after 30 s."""
    assert LONGEST_QUEUE / 30 <= 20


async def test_beyond_the_queue_one_is_asked_to_come_again_and_then_gets_in(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is 503 with a time at once, and sending it again gets everyone an account."""
    monkeypatch.setattr("shop_backend.passwords.LONGEST_QUEUE", 2)
    sent = [f"{name}@example.org" for name in range(12)]
    refused = 0
    async with asyncio.timeout(30):
        while sent:
            answers = await asyncio.gather(*(register(shop.visitor(), email=email) for email in sent))
            busy = [answer for answer in answers if answer.status != 202]
            assert all((answer.status, answer.headers["Retry-After"]) == (503, "2") for answer in busy)
            assert all(answer.document["type"] == "/problems/busy" for answer in busy)
            sent = [email for email, answer in zip(sent, answers, strict=True) if answer.status != 202]
            refused += len(busy)
    assert refused
