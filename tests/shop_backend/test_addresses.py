"""Addresses as each market writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop_backend import addresses
from shop_backend.addresses import LONGEST, Address
from shop_backend.errors import BadInput
from shop_backend.markets import MARKETS

FORMS = {
    "us": {
        "name": "Ann Lee",
        "street": "1 Main St",
        "extra": "",
        "city": "San Jose",
        "region": "CA",
        "postcode": "95110",
    },
    "uk": {
        "name": "Ann Lee",
        "street": "1 High St",
        "extra": "Flat 2",
        "city": "London",
        "postcode": "SW1A 1AA",
    },
    "fr": {"name": "Ann Lee", "street": "1 rue Ney", "extra": "", "city": "Paris", "postcode": "75018"},
    "de": {"name": "Ann Lee", "street": "Hauptstr. 1", "extra": "", "city": "Berlin", "postcode": "10115"},
}
LINES = {
    "us": ("Ann Lee", "1 Main St", "San Jose, CA 95110"),
    "uk": ("Ann Lee", "1 High St", "Flat 2", "London", "SW1A 1AA"),
    "fr": ("Ann Lee", "1 rue Ney", "75018 Paris"),
    "de": ("Ann Lee", "Hauptstr. 1", "10115 Berlin"),
}


@pytest.mark.parametrize("code", MARKETS)
def test_an_address_is_read_and_written_as_in_its_market(code: str) -> None:
    """The form asks for the market's own fields; what stands on the parcel has the country's order."""
    market = MARKETS[code]
    assert [field.name for field in market.address_fields if field.name not in FORMS[code]] == []
    address = addresses.read({**FORMS[code], "more": "is left alone"}, market.country)
    assert address == Address(**{"region": "", **FORMS[code]}, country=market.country)
    assert address.lines == LINES[code]


WRITTEN = [
    ("uk", "sw1a1aa", "SW1A 1AA"),
    ("uk", " m1  1ae ", "M1 1AE"),
    ("uk", "Gir0aa", "GIR 0AA"),
    ("us", "95110-1234", "95110-1234"),
    ("fr", " 20000 ", "20000"),
]


@pytest.mark.parametrize("code, typed, postcode", WRITTEN)
def test_a_postcode_may_be_typed_as_people_do(code: str, typed: str, postcode: str) -> None:
    """Small letters, missing and spare spaces are mended."""
    assert addresses.read({**FORMS[code], "postcode": typed}, MARKETS[code].country).postcode == postcode


WRONG = [
    ("us", "postcode", "9511"),
    ("us", "postcode", "SW1A 1AA"),
    ("us", "region", "XX"),
    ("us", "region", "California"),
    ("us", "region", None),
    ("uk", "postcode", "95110"),
    ("uk", "postcode", ""),
    ("fr", "postcode", "97110"),  # Guadeloupe: other customs
    ("fr", "postcode", "\uff17\uff15\uff10\uff11\uff18"),
    ("de", "postcode", "00115"),
    ("de", "name", " "),
    ("de", "name", None),
    ("de", "street", 7),
    ("de", "street", "a\0b"),
    ("de", "city", "\ud800"),
    ("de", "city", "x" * (LONGEST + 1)),
    ("de", "extra", "x" * (LONGEST + 1)),
    ("de", "extra", ["a"]),
]


@pytest.mark.parametrize("code, name, value", WRONG)
def test_a_wrong_address_is_refused_with_the_field(code: str, name: str, value: object) -> None:
    """One sentence says what would be right."""
    form = (
        {**FORMS[code], name: value}
        if value is not None
        else {k: v for k, v in FORMS[code].items() if k != name}
    )
    with pytest.raises(BadInput) as error:
        addresses.read(form, MARKETS[code].country)
    [field] = [field for field in MARKETS[code].address_fields if field.name == name]
    assert error.value.facts["field"] == name
    assert error.value.text == field.wrong


json = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=3)


@given(
    code=st.sampled_from(sorted(MARKETS)), form=st.dictionaries(st.sampled_from(sorted(FORMS["us"])), json)
)
def test_whatever_is_sent_an_address_is_printable_and_short(code: str, form: dict[str, object]) -> None:
    """Or it is refused with one of the market's fields."""
    market = MARKETS[code]
    refused = ""
    try:
        address = addresses.read(form, market.country)
    except BadInput as error:
        refused = str(error.facts["field"])
    if refused:
        assert refused in {field.name for field in market.address_fields}
    else:
        assert all(line.isprintable() and len(line) <= 2 * LONGEST + 4 for line in address.lines)
        assert (
            addresses.read({name: getattr(address, name) for name in FORMS["us"]}, market.country) == address
        )
