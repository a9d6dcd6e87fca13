"""I11: tokens say what this waiting room signed, to whom it concerns, for as long as it holds; nothing else."""

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer

from tests.conftest import NOON, SECRETS
from waitroom.errors import TokenExpired, TokenInvalid
from waitroom.tickets import (
    IDENTITY,
    MOVE,
    OPERATOR,
    PASS,
    STAMP,
    TICKET,
    Identity,
    Operator,
    Pass,
    Stamp,
    Ticket,
    Tokens,
    pass_cookie,
    stamp_cookie,
    ticket_cookie,
)

ROOM = "mi-launch"
TOKENS = Tokens(SECRETS)
OTHER = "a secret of somebody else"

TICKET_7 = Ticket(ROOM, 7, bytes(range(16)), "mi_fan-1")
PASS_7 = Pass(ROOM, 3, 7, NOON + 500, NOON + 60_000)
MI_FAN = Identity("mi_fan-1", NOON + 60_000)
OLGA = Operator("session", "n0nce", NOON + 60_000)
STAMP_7 = Stamp(ROOM, b"\x07" * 32, "mi_fan-1", NOON + 30_000, NOON + 60_000)

Read = Callable[[Tokens, str], Ticket | Pass | Identity | Operator | Stamp]
Sign = Callable[[Tokens], str]

KINDS: dict[str, tuple[Sign, Read]] = {
    TICKET: (
        lambda tokens: tokens.sign_ticket(TICKET_7),
        lambda tokens, text: tokens.read_ticket(text, ROOM),
    ),
    MOVE: (
        lambda tokens: tokens.sign_move(TICKET_7, NOON + 60_000),
        lambda tokens, text: tokens.read_move(text, ROOM, NOON),
    ),
    PASS: (lambda tokens: tokens.sign_pass(PASS_7), lambda tokens, text: tokens.read_pass(text, ROOM, NOON)),
    IDENTITY: (
        lambda tokens: tokens.sign_identity(MI_FAN),
        lambda tokens, text: tokens.read_identity(text, NOON),
    ),
    OPERATOR: (
        lambda tokens: tokens.sign_operator(OLGA),
        lambda tokens, text: tokens.read_operator(text, "session", NOON),
    ),
    STAMP: (
        lambda tokens: tokens.sign_stamp(STAMP_7),
        lambda tokens, text: tokens.read_stamp(text, ROOM, NOON),
    ),
}
VALUES = {TICKET: TICKET_7, MOVE: TICKET_7, PASS: PASS_7, IDENTITY: MI_FAN, OPERATOR: OLGA, STAMP: STAMP_7}

each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
def test_a_token_reads_back_as_what_was_signed(kind: str) -> None:
    """Every field, and no type has changed on the way."""
    sign, read = KINDS[kind]
    assert read(TOKENS, sign(TOKENS)) == VALUES[kind]


@each_kind
def test_signing_the_same_twice_gives_the_same_token(kind: str) -> None:
    """I9: so a repeated request gets the same cookie, from any gate."""
    sign, _ = KINDS[kind]
    assert sign(TOKENS) == sign(Tokens(SECRETS))


@each_kind
def test_a_token_fits_into_a_cookie_and_a_header(kind: str) -> None:
    """Neither quoting nor encoding is needed, also with the longest of names and numbers."""
    sign, _ = KINDS[kind]
    assert set(sign(TOKENS)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(sign(TOKENS)) < 200


@each_kind
def test_i11_a_token_for_one_purpose_is_no_other(kind: str) -> None:
    """A salt a purpose: a ticket is no pass, a pass is no identity."""
    sign, _ = KINDS[kind]
    for other, (_, read) in KINDS.items():
        if other != kind:
            with pytest.raises(TokenInvalid) as caught:
                read(TOKENS, sign(TOKENS))
            assert caught.value.purpose == other


@each_kind
def test_i11_a_token_of_another_key_is_forged(kind: str) -> None:
    """Whoever signs with another secret gets nothing."""
    sign, read = KINDS[kind]
    with pytest.raises(TokenInvalid, match="not signed by this waiting room"):
        read(TOKENS, sign(Tokens([OTHER])))


@each_kind
@given(data=st.data())
def test_i11_an_edited_token_gets_nothing(kind: str, data: st.DataObject) -> None:
    """Whatever is changed, cut or added: at best it is read as the very same token."""
    sign, read = KINDS[kind]
    token = sign(TOKENS)
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, min(len(token), start + 3)))
    edited = token[:start] + data.draw(st.text(max_size=3)) + token[end:]
    try:
        assert read(TOKENS, edited) == VALUES[kind]
    except TokenInvalid:
        assert edited != token
    else:
        assert edited.rpartition(".")[0] == token.rpartition(".")[0]


@each_kind
@given(text=st.text())
def test_i11_any_other_text_gets_nothing(kind: str, text: str) -> None:
    """No text makes anything but a plain refusal."""
    _, read = KINDS[kind]
    with pytest.raises(TokenInvalid):
        read(TOKENS, text)


@each_kind
@pytest.mark.parametrize("text", ["", ".", "...", "\ud800.x", "x" * 100_000, "ü.é"])
def test_i11_odd_texts_get_nothing(kind: str, text: str) -> None:
    """Empty, huge, or no text at all."""
    _, read = KINDS[kind]
    with pytest.raises(TokenInvalid):
        read(TOKENS, text)


@each_kind
def test_i11_a_token_of_another_version_gets_nothing(kind: str) -> None:
    """Signed by us, but with other fields than this version reads."""
    signer = Signer(SECRETS[-1], salt=f"waitroom.{kind}", digest_method=hashlib.sha256)
    _, read = KINDS[kind]
    with pytest.raises(TokenInvalid, match="it comes from another version"):
        read(TOKENS, signer.sign(f"{ROOM}.1.2.3.4.5.6.7").decode())


@pytest.mark.parametrize("kind", [TICKET, PASS, STAMP])
def test_i11_a_token_of_another_room_gets_nothing(kind: str) -> None:
    """The error says whose it is."""
    tokens = {
        TICKET: TOKENS.sign_ticket(Ticket("tea", 7, b"\0" * 16)),
        PASS: TOKENS.sign_pass(Pass("tea", 3, 7, NOON, NOON + 60_000)),
        STAMP: TOKENS.sign_stamp(Stamp("tea", bytes(32), "", NOON, NOON + 60_000)),
    }
    _, read = KINDS[kind]
    with pytest.raises(TokenInvalid, match=f"the {kind} is not valid: it belongs to the room 'tea'"):
        read(TOKENS, tokens[kind])


def test_i11_a_credential_for_signing_in_opens_no_session() -> None:
    """An operator's token is good for the use it was made for."""
    with pytest.raises(TokenInvalid, match="not made for sign-in"):
        TOKENS.read_operator(TOKENS.sign_operator(OLGA), "sign-in", NOON)


EXPIRING: dict[str, Callable[[int], object]] = {
    PASS: lambda now: TOKENS.read_pass(TOKENS.sign_pass(PASS_7), ROOM, now),
    IDENTITY: lambda now: TOKENS.read_identity(TOKENS.sign_identity(MI_FAN), now),
    OPERATOR: lambda now: TOKENS.read_operator(TOKENS.sign_operator(OLGA), "session", now),
    STAMP: lambda now: TOKENS.read_stamp(TOKENS.sign_stamp(STAMP_7), ROOM, now),
}


@pytest.mark.parametrize("kind", EXPIRING)
def test_i11_a_token_is_good_until_its_last_millisecond(kind: str) -> None:
    """Then the error says when its time was up, so that a page can tell."""
    assert EXPIRING[kind](NOON + 59_999) == VALUES[kind]
    with pytest.raises(TokenExpired, match=f"the {kind} is not valid: its time is up") as caught:
        EXPIRING[kind](NOON + 60_000)
    assert (caught.value.purpose, caught.value.expired_at) == (kind, NOON + 60_000)


@each_kind
def test_keys_rotate_without_anyone_losing_a_place(kind: str) -> None:
    """Old tokens are read while their secret is on the list, new ones are signed by the newest, then the old goes."""
    sign, read = KINDS[kind]
    old, both, new = Tokens(["old" * 8]), Tokens(["old" * 8, "new" * 8]), Tokens(["new" * 8])
    assert read(both, sign(old)) == VALUES[kind]
    assert sign(both) == sign(new) != sign(old)
    with pytest.raises(TokenInvalid):
        read(new, sign(old))


def test_a_ticket_id_follows_from_room_entropy_and_key() -> None:
    """I9: a repeat is the same ticket; nobody can work out the id of another's entropy without the key."""
    ticket_id = TOKENS.ticket_id(ROOM, b"\x01" * 32)
    assert len(ticket_id) == 16
    assert TOKENS.ticket_id(ROOM, b"\x01" * 32) == ticket_id
    others = {
        TOKENS.ticket_id(ROOM, b"\x02" * 32),
        TOKENS.ticket_id("tea", b"\x01" * 32),
        Tokens([OTHER]).ticket_id(ROOM, b"\x01" * 32),
    }
    assert ticket_id not in others
    assert len(others) == 3


def test_a_key_is_for_one_purpose() -> None:
    """It follows from the newest secret and the purpose, and is no ticket's id."""
    key = TOKENS.key("work")
    assert len(key) == 32
    assert key == Tokens(SECRETS[-1:]).key("work")
    assert key not in {TOKENS.key("other"), Tokens([OTHER]).key("work")}


def test_tokens_need_a_secret() -> None:
    """An empty list would sign with nothing."""
    with pytest.raises(ValueError, match="at least one secret"):
        Tokens([])


@pytest.mark.parametrize("subject", ["", "x" * 65, "a.b", "a:b", "a b", "mi\n", "ä"])
def test_a_subject_is_opaque_and_short(subject: str) -> None:
    """No e-mail address, and nothing that would break the token or a header."""
    with pytest.raises(ValueError, match="a subject is 1 to 64 letters"):
        TOKENS.sign_identity(Identity(subject, NOON))


def test_cookies_are_named_after_the_room() -> None:
    """So that several rooms of one site keep apart."""
    names = ticket_cookie("tea"), pass_cookie("tea"), stamp_cookie("tea")
    assert names == ("waitroom_ticket_tea", "waitroom_pass_tea", "waitroom_stamp_tea")


def test_no_field_breaks_a_token() -> None:
    """Dots part the fields, so a field with one is refused where it is signed, not where it is read."""
    with pytest.raises(ValueError, match="holds no dots"):
        TOKENS.sign_operator(Operator("session", "a.b", NOON))


def test_a_ticket_that_was_moved_says_so() -> None:
    """Its token tells the generation; one that never was is signed as before there were moves."""
    first = Ticket("mi-launch", 7, bytes(16), "anna")
    second = first._replace(generation=12)
    assert TOKENS.sign_ticket(first).rpartition(".")[0] == f"mi-launch.7.{'00' * 16}.anna"
    for ticket in (first, second):
        assert TOKENS.read_ticket(TOKENS.sign_ticket(ticket), "mi-launch") == ticket


def test_a_link_hands_a_ticket_over_for_a_while() -> None:
    """In its own room, until its time is up."""
    link = TOKENS.sign_move(TICKET_7._replace(generation=3), 1_000)
    assert TOKENS.read_move(link, ROOM, 999).generation == 3
    with pytest.raises(TokenExpired):
        TOKENS.read_move(link, ROOM, 1_000)
    with pytest.raises(TokenInvalid):
        TOKENS.read_move(link, "tea", 0)
