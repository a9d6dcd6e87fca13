"""A path has one spelling, and no other spelling of a protected path gets past the waiting room."""

import posixpath
import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.paths import LONGEST_NEXT, LONGEST_TARGET, BadTarget, normalise, protects, safe_next

PREFIXES = ("/sale", "/Drop/2024/", "/café")


@pytest.mark.parametrize(
    "raw, canonical",
    [
        ("/", "/"),
        ("/sale", "/sale"),
        ("/sale/", "/sale/"),
        ("//sale", "/sale"),
        ("/sale//order", "/sale/order"),
        ("/%73ale", "/sale"),
        ("/x/../sale", "/sale"),
        ("/x/%2e%2E/sale", "/sale"),
        ("/./sale/.", "/sale/"),
        ("/sale/x/..", "/sale/"),
        ("/../../sale", "/sale"),
        ("/x/..", "/"),
        ("/a%7eb%c3%a9%3b", "/a~b%C3%A9%3B"),
        ("/café", "/caf%C3%A9"),
        ('/a"b<c>^`{|}', "/a%22b%3Cc%3E%5E%60%7B%7C%7D"),
        ("/100%25", "/100%25"),
        ("/.well-known/x", "/.well-known/x"),
        ("/sale;v=1/@me:x!$&'()*+,=", "/sale;v=1/@me:x!$&'()*+,="),
        ("/sale?", "/sale"),
        ("/sale?next=%2F..%2fx&y=%zz\\?/", "/sale?next=%2F..%2fx&y=%zz\\?/"),
        ("/sale?q=é\udce9", "/sale?q=%C3%A9%E9"),
        ("http://shop.test/sale?x", "/sale?x"),
        ("HTTPS://Shop.Test", "/"),
        ("http://shop.test?x", "/?x"),
    ],
)
def test_each_target_has_one_canonical_form(raw: str, canonical: str) -> None:
    """Other spellings of a path become the one that is checked and forwarded; the query stays as it is."""
    assert normalise(raw, "shop.test") == canonical


@pytest.mark.parametrize(
    "raw, reason",
    [
        ("", "slash"),
        ("*", "slash"),
        ("sale", "slash"),
        ("shop.test:443", "slash"),
        ("ftp://shop.test/", "slash"),
        ("http://evil.test/sale", "another site"),
        ("http://shop.test@evil.test/sale", "another site"),
        ("http:///sale", "another site"),
        ("/sale%2forder", "slash"),
        ("/sale%2Forder", "slash"),
        ("/x\\..\\sale", "backslash"),
        ("/x%5c..%5Csale", "backslash"),
        ("/sale%00", "control"),
        ("/sale%0d%0aSet-Cookie:x", "control"),
        ("/sale%7F", "control"),
        ("/sale%C2%85", "control"),
        ("/sale\r\nX: y", "control"),
        ("/sale?x=\r\ny", "control"),
        ("/sale?x=\x00", "control"),
        ("/sale now", "space"),
        ("/sale#pay", "fragment"),
        ("/%2573ale", "twice"),
        ("/%252573ale", "twice"),
        ("/%25%37%33ale", "twice"),
        ("/%25u0073ale", "twice"),
        ("/%u0073ale", "percent"),
        ("/sale%", "percent"),
        ("/sale%4", "percent"),
        ("/sale%zz", "percent"),
        ("/%c0%afsale", "UTF-8"),
        ("/%e9", "UTF-8"),
        ("/caf\udce9", "UTF-8"),
        ("/sale?\ud800", "UTF-8"),
        ("/x\uff0f..\uff0fsale", "read as a slash"),
        ("/x%EF%BC%BCsale", "read as a slash"),
        ("/\uff0573ale", "percent sign"),
        ("/sale/..;/x", "without a name"),
        ("/x/..;/sale", "without a name"),
        ("/sale/...", "without a name"),
        ("/sale/..%20/x", "without a name"),
        ("/;x/sale", "without a name"),
        ("/%20/sale", "without a name"),
        ("/sale/‥/x", "without a name"),
        ("/%3Fx", "without a name"),
        ("/" + "x" * LONGEST_TARGET, "longer"),
        ("/" + "é" * (LONGEST_TARGET // 2), "longer"),
    ],
)
def test_what_has_no_single_meaning_is_refused(raw: str, reason: str) -> None:
    """A target that servers read differently, or that none can read, is refused with a reason."""
    with pytest.raises(BadTarget, match=reason) as refusal:
        normalise(raw, "shop.test")
    assert refusal.value.reason == str(refusal.value)


def test_an_absolute_target_needs_a_host_to_compare_with() -> None:
    """Without the request's host no absolute target is taken."""
    with pytest.raises(BadTarget, match="another site"):
        normalise("http:///sale")


@pytest.mark.parametrize(
    "path, prefix",
    [
        ("/sale", "/sale"),
        ("/sale/", "/sale"),
        ("/sale?x=/y", "/sale"),
        ("/SALE/Order/7", "/sale"),
        ("/sale;v=1", "/sale"),
        ("/sale%3Bv=1", "/sale"),
        ("/sale%3Fv", "/sale"),
        ("/sale%23v", "/sale"),
        ("/sale.", "/sale"),
        ("/sale%20", "/sale"),
        ("/sale%20.%20.", "/sale"),
        ("/%20sale", "/sale"),
        ("/%C5%BFale", "/sale"),  # the long s, whose capital is S
        ("/\uff53\uff41\uff4c\uff45", "/sale"),
        ("/sa%E2%80%8Cle", "/sale"),  # a character of no width
        ("/drop/2024/x", "/Drop/2024/"),
        ("/CAF%C3%89", "/café"),
        ("/cafe%CC%81", "/café"),  # the accent as a character of its own
        ("/sales", None),
        ("/onsale", None),
        ("/x/sale", None),
        ("/drop", None),
        ("/drop/2025", None),
        ("/", None),
        ("/?/sale", None),
    ],
)
def test_a_prefix_covers_its_path_in_every_spelling_and_no_other(path: str, prefix: str | None) -> None:
    """Whole segments count, in any case, with parameters, trailing dots, or compatible characters."""
    assert protects(path, PREFIXES) == prefix


def test_the_longest_prefix_protects() -> None:
    """Of several rooms the one with the closest prefix protects a path, and `/` covers all the rest."""
    prefixes = ("/", "/sale/mi", "/sale")
    assert [protects(path, prefixes) for path in ("/x", "/sale/x", "/sale/MI/1")] == [
        "/",
        "/sale",
        "/sale/mi",
    ]
    assert protects("/sale", ()) is None


@pytest.mark.parametrize("raw", ["/sale?x=1", "//sale", "/%53ALE/", "/x/..//sale;a=b"])
def test_a_raw_spelling_is_protected_once_normalised(raw: str) -> None:
    """The two functions together leave no way around."""
    assert protects(normalise(raw), PREFIXES) == "/sale"


PIECES = (  # of disguises, and of what is none
    "/ // /sale sale SALE x . .. %2e %2f %5c \\ ; %3b %20 %25 25 %73 73 %53 ? %3F # %c5%bf "
    "\u017f \uff41 \uff0e \uff0f \udce9"
)
targets = st.lists(
    st.one_of(st.text(max_size=4), st.characters(max_codepoint=0x7F), st.sampled_from(PIECES.split(" "))),
    max_size=12,
).map(lambda parts: "/" + "".join(parts))


def canonical(raw: str) -> str | None:
    """Give the canonical form, or None where it is refused."""
    try:
        return normalise(raw)
    except BadTarget:
        return None


@given(targets)
def test_normalising_twice_changes_nothing(raw: str) -> None:
    """The canonical form is its own, plain ASCII, and free of dot segments and double slashes."""
    if (once := canonical(raw)) is not None:
        assert normalise(once) == once
        assert re.fullmatch(r"/[\x21-\x7e]*", once)
        segments = once.partition("?")[0].split("/")[1:]
        assert "" not in segments[:-1]
        assert not {".", ".."} & set(segments)


def without_parameters(path: str) -> str:
    """Drop `;parameters`, as servlet containers do before they resolve dots."""
    return re.sub(r";[^/]*", "", path)


def without_trailing_dots(path: str) -> str:
    """Drop dots and spaces at the ends of names, as Windows does."""
    return "/".join(part if part in {".", ".."} else part.rstrip(". ") for part in path.split("/"))


def with_slashes(path: str) -> str:
    """Take a backslash for a slash."""
    return path.replace("\\", "/")


READINGS: tuple[Callable[[str], str], ...] = (
    unquote,
    posixpath.normpath,
    str.lower,
    str.upper,
    str.casefold,
    with_slashes,
    without_parameters,
    without_trailing_dots,
)


@given(targets, st.lists(st.sampled_from(READINGS), max_size=7))
def test_whatever_a_server_could_read_as_protected_is_protected(
    raw: str, steps: Iterable[Callable[[str], str]]
) -> None:
    """However a server decodes a canonical path: if it arrives at the sale, we protected it."""
    if (path := canonical(raw)) is None:
        return
    read = path.partition("?")[0]
    for step in steps:
        read = step(read)
    if re.match(r"/+sale([/?#;]|$)", read.lower()):
        assert protects(path, ["/sale"]) == "/sale"


@given(st.data())
def test_no_disguise_of_a_protected_path_gets_through(data: st.DataObject) -> None:
    """Any mix of case, escapes, slashes, dots and parameters is refused or protected."""
    disguises = {
        c: st.sampled_from([c, c.upper(), f"%{ord(c):02x}", f"%{ord(c.upper()):02X}", f"%25{ord(c):02x}"])
        for c in "sale"
    }
    name = "".join(data.draw(disguises[c]) for c in "sale")
    before = data.draw(st.sampled_from(["/", "//", "/./", "/x/../", "/x/%2E%2e//", "\\", "/%5c", "/;/"]))
    after = data.draw(st.sampled_from(["", "/", "//", ";a=b", "%3b", ".", "%20", "/order", "/..;/sale"]))
    path = canonical(before + name + after)
    assert path is None or protects(path, ["/sale"]) == "/sale"


@pytest.mark.parametrize(
    "value, path",
    [
        ("/sale?product=1", "/sale?product=1"),
        ("/x/../sale", "/sale"),
        ("/sale//order", "/sale/order"),
        ("/.//evil.test", "/evil.test"),
        ("/é", "/%C3%A9"),
        ("", None),
        ("sale", None),
        ("//evil.test", None),
        ("/\\evil.test", None),
        ("/%5cevil.test", None),
        ("\\\\evil.test", None),
        ("https://evil.test/", None),
        ("javascript:alert(1)", None),
        (" /sale", None),
        ("/\t/evil.test", None),
        ("/sale\r\nLocation: //evil.test", None),
        ("/" + "x" * LONGEST_NEXT, None),
        ("/" + "é" * (LONGEST_NEXT // 2), None),
    ],
)
def test_next_is_a_path_on_this_site_or_nothing(value: str, path: str | None) -> None:
    """A shopper is sent on to a canonical path here, never to another site."""
    assert safe_next(value) == path


@given(st.one_of(st.text(), targets))
def test_next_never_leads_away(value: str) -> None:
    """Whatever is asked for, a browser that is sent on stays on this site."""
    if (path := safe_next(value)) is not None:
        assert re.match(r"/(?![/\\])", path)
        assert re.fullmatch(r"[\x21-\x7e]{1,2048}", path)
        assert safe_next(path) == path
