"""Credentials in requests, and the cookies that carry them."""

import pytest
from aiohttp.test_utils import make_mocked_request

from gate.cookies import cookie, credentials, read_cookie


@pytest.mark.parametrize(
    "header,value",
    [
        ("a=1", "1"),
        ("b=2; a=1", "1"),
        ("b=2;a=1;c=3", "1"),
        ("  a=1  ;", "1"),
        ("a=1; a=2", "1"),
        ("a=x=y", "x=y"),
        ('a="1"', '"1"'),
        ("a=", ""),
        ("a", ""),
        ("A=1", None),
        ("aa=1; ba=2", None),
        ("", None),
        (";;=;", None),
    ],
)
def test_a_cookie_is_found_by_its_whole_name(header: str, value: str | None) -> None:
    """The first of that name; nothing is unquoted."""
    assert read_cookie(make_mocked_request("GET", "/", {"Cookie": header}), "a") == value


def test_without_cookies_there_is_none() -> None:
    """No header, no value."""
    assert read_cookie(make_mocked_request("GET", "/"), "a") is None


@pytest.mark.parametrize(
    "authorization,tokens",
    [
        ("Waitroom one", ["one"]),
        ("waitroom one, two,three", ["one", "two", "three"]),
        ("WAITROOM  one ", ["one"]),
        ("Bearer one", []),
        ("Waitroomone", []),
        ("Waitroom", [""]),
        ("", []),
    ],
)
def test_tokens_come_in_authorization_too(authorization: str, tokens: list[str]) -> None:
    """After the cookie's, in order."""
    headers = {"Authorization": authorization, "Cookie": "a=zero; b=other"}
    assert list(credentials(make_mocked_request("GET", "/", headers), "a")) == ["zero", *tokens]
    empty = {"Authorization": authorization, "Cookie": "a="}
    assert list(credentials(make_mocked_request("GET", "/", empty), "a")) == tokens


def test_our_cookies_are_kept_from_scripts_and_other_sites() -> None:
    """HttpOnly, SameSite=Lax, on the whole site, and Secure behind https; age 0 deletes."""
    assert cookie("a", "1", age_s=5, secure=False) == "a=1; Path=/; Max-Age=5; HttpOnly; SameSite=Lax"
    assert cookie("a", "", age_s=0, secure=True) == "a=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
