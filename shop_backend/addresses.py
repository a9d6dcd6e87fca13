"""Where a parcel goes: what an address has in each market, and how it is read from a form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shop_backend.errors import BadInput
from shop_backend.texts import _

LONGEST = 80
STATES: Final = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|"
    "OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY"
)


@dataclass(frozen=True, slots=True)
class AddressField:
    """One field of a form.

    Attributes:
        name: of the field in forms, and of the attribute of ``Address``.
        label, wrong: what stands before it, and what is said when it is missing or makes no sense.
        autocomplete: what browsers know it by (HTML, section "Autofill").
        pattern: what it looks like once it is written in capitals with single spaces; anything, if empty.
    """

    name: str
    label: str
    wrong: str
    autocomplete: str
    pattern: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Address:
    """Where a parcel goes; ``country`` is the ISO 3166 code, what a market does not ask for is empty."""

    name: str
    street: str
    extra: str
    city: str
    region: str
    postcode: str
    country: str

    @property
    def lines(self) -> tuple[str, ...]:
        """As it stands on the parcel, without the country."""
        match self.country:
            case "US":
                place: tuple[str, ...] = (f"{self.city}, {self.region} {self.postcode}",)
            case "GB":
                place = (self.city, self.postcode)
            case _:
                place = (f"{self.postcode} {self.city}",)
        return tuple(line for line in (self.name, self.street, self.extra, *place) if line)


_NAME = AddressField("name", _("Name"), _("Please say who receives the parcel."), "name")
_STREET = AddressField(
    "street", _("Street and house number"), _("Please give street and house number."), "address-line1"
)
_EXTRA = AddressField(
    "extra",
    _("Flat, floor or company (optional)"),
    _("Please leave this line empty, or write it shorter."),
    "address-line2",
    required=False,
)
_CITY = AddressField("city", _("Town or city"), _("Please give the town or city."), "address-level2")
_STATE = AddressField(
    "region",
    _("State (two letters, such as CA)"),
    _("A state has two letters, such as CA; we deliver to the 50 states and the District of Columbia."),
    "address-level1",
    STATES,
)


def _postcode(label: str, wrong: str, pattern: str) -> AddressField:
    return AddressField("postcode", label, wrong, "postal-code", pattern)


_ZIP = _postcode(_("ZIP code"), _("A ZIP code has five digits, such as 94107."), r"[0-9]{5}(-[0-9]{4})?")
_UK_POSTCODE = _postcode(
    _("Postcode"),
    _("A postcode is written like SW1A 1AA."),
    r"(GIR 0AA|[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2})",
)
_CODE_POSTAL = _postcode(
    _("Postcode"),
    _("A postcode has five digits, such as 75001; we deliver to metropolitan France."),
    r"(0[1-9]|[1-8][0-9]|9[0-5])[0-9]{3}",
)
_PLZ = _postcode(
    _("Postcode"), _("A postcode has five digits, such as 10115."), r"(0[1-9]|[1-9][0-9])[0-9]{3}"
)

FIELDS: Final[Mapping[str, tuple[AddressField, ...]]] = {
    "US": (_NAME, _STREET, _EXTRA, _CITY, _STATE, _ZIP),
    "GB": (_NAME, _STREET, _EXTRA, _CITY, _UK_POSTCODE),
    "FR": (_NAME, _STREET, _EXTRA, _CODE_POSTAL, _CITY),
    "DE": (_NAME, _STREET, _EXTRA, _PLZ, _CITY),
}
"""What an address has in each country, in the order in which it is written there."""


def read(form: Mapping[str, Any], country: str) -> Address:
    """The address in a form.

    Raises:
        BadInput: with the first field that is missing or makes no sense.
    """
    found = {field.name: _read_field(form, field, country) for field in FIELDS[country]}
    return Address(**{"region": "", **found}, country=country)


def _read_field(form: Mapping[str, Any], field: AddressField, country: str) -> str:
    value = form.get(field.name, "")
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if field.pattern:
        text = text.upper()
    if field.name == "postcode" and country == "GB":
        text = re.sub(r"(?<! )(.{3})$", r" \1", text.replace(" ", ""))
    printable = isinstance(value, str) and text.isprintable() and len(text) <= LONGEST
    missing = field.required and not text
    if not printable or missing or not re.fullmatch(field.pattern or ".*", text):
        raise BadInput(field.name, field.wrong)
    return text
