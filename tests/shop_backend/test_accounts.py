"""Accounts: register, sign in, sign out, and the identity that the gate asks for."""

import asyncio
import time
from collections import Counter

import pytest
from argon2 import PasswordHasher, extract_parameters

from shop_backend.accounts import SESSION_MS
from shop_backend.passwords import HASHER, LONGEST_QUEUE, Passwords
from tests.shop_backend.conftest import Shop
from waitroom.tickets import IDENTITY_COOKIE

ANN = {"email": "ann@example.org", "password": "correct horse"}
HTML = {"Accept": "text/html"}


async def test_registering_signs_in_at_once(shop: Shop) -> None:
    """The answer and the cookie carry the identity; it names the account and not the address."""
    visitor = shop.visitor()
    answer = await visitor.post("/account/register", json=ANN)
    assert answer.status == 201
    identity = shop.tokens.read_identity(visitor.cookies[IDENTITY_COOKIE], shop.clock.now_ms())
    assert answer.document == {"account": identity.subject, "identity": visitor.cookies[IDENTITY_COOKIE]}
    assert identity.expires_at == shop.clock.now_ms() + SESSION_MS
    assert "ann" not in identity.subject
    assert (await visitor.get("/orders")).status == 200


async def test_one_account_is_always_the_same_identity(shop: Shop) -> None:
    """Signing in elsewhere, or with other capitals, is no second place in the line."""
    first = await shop.visitor().post("/account/register", json=ANN)
    second = await shop.visitor().post("/account/sign-in", json={**ANN, "email": " Ann@Example.ORG "})
    assert (second.status, second.document["account"]) == (200, first.document["account"])


async def test_i9_a_repeated_registration_is_the_same_account(shop: Shop) -> None:
    """Also when the first answer was lost, or the button was clicked ten times."""
    answers = await asyncio.gather(*(shop.visitor().post("/account/register", json=ANN) for _ in range(10)))
    assert Counter(answer.status for answer in answers) == {201: 1, 200: 9}
    assert len({answer.document["account"] for answer in answers}) == 1


async def test_an_address_is_not_given_away_to_another_password(shop: Shop) -> None:
    """Registering it again is refused, and so is a wrong password; no cookie is set."""
    await shop.visitor().post("/account/register", json=ANN)
    wrong = {**ANN, "password": "wrong horse"}
    for path, status in (("/account/register", 409), ("/account/sign-in", 401)):
        visitor = shop.visitor()
        assert (await visitor.post(path, json=wrong)).status == status
        assert not visitor.cookies
    unknown = await shop.visitor().post("/account/sign-in", json={**ANN, "email": "ben@example.org"})
    known = await shop.visitor().post("/account/sign-in", json=wrong)
    assert unknown.document == known.document


async def test_a_session_ends_when_its_owner_signs_out(shop: Shop) -> None:
    """A copy of the cookie is worth nothing any more."""
    visitor, thief = shop.visitor(), shop.visitor()
    await visitor.post("/account/register", json=ANN)
    thief.cookies = dict(visitor.cookies)
    assert (await visitor.post("/account/sign-out", json={})).status == 204
    assert visitor.cookies[IDENTITY_COOKIE] == ""
    assert (await thief.get("/orders")).status == 401


async def test_a_session_ends_after_a_week(shop: Shop) -> None:
    """To the millisecond."""
    visitor = shop.visitor()
    await visitor.post("/account/register", json=ANN)
    shop.clock.advance(SESSION_MS - 1)
    assert (await visitor.get("/orders")).status == 200
    shop.clock.advance(1)
    assert (await visitor.get("/orders")).status == 401


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
    """A repeated registration waits twice; a slow machine makes 30 a second, and the gate gives up after 30 s."""
    assert 2 * LONGEST_QUEUE / 30 <= 20


async def test_beyond_the_queue_one_is_asked_to_come_again_and_then_gets_in(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is 503 with a time at once, and sending it again gets everyone an account."""
    monkeypatch.setattr("shop_backend.passwords.LONGEST_QUEUE", 2)
    sent = [{**ANN, "email": f"{name}@example.org"} for name in range(12)]
    refused = 0
    async with asyncio.timeout(30):
        while sent:
            answers = await asyncio.gather(
                *(shop.visitor().post("/account/register", json=body) for body in sent)
            )
            busy = [answer for answer in answers if answer.status != 201]
            assert all((answer.status, answer.headers["Retry-After"]) == (503, "2") for answer in busy)
            assert all(answer.document["type"] == "/problems/busy" for answer in busy)
            sent = [body for body, answer in zip(sent, answers, strict=True) if answer.status != 201]
            refused += len(busy)
    assert refused
