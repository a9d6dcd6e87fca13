"""The languages of pages: gettext catalogues as they stand in a folder, and which of them a reader wants.

A language is a folder, ``locale/<language>/LC_MESSAGES``, with a catalogue for the waiting room's pages,
``waitroom.po``, and one for the shop's, ``shop.po``. They are read at start, so that there is nothing to build.
English needs none: it is the language of the templates.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final

from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.support import Translations

from waitroom.errors import BadSettings

SOURCE: Final = "en"
COOKIE: Final = "waitroom_language"
"""Where a choice by hand is kept. Scripts read and write it: the waiting page is the same for everyone, so it
looks there itself."""
DOMAIN: Final = "waitroom"
"""The catalogues of the waiting room's pages."""

_BLANK: Final = re.compile(r"{\w+}")
_YEAR_S: Final = 365 * 24 * 3600
_WANTED = re.compile(
    r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*[qQ]\s*=\s*([01](?:\.\d{0,3})?)\s*)?"
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: ``language`` names one of our catalogues, ``locale`` how they write numbers and times."""

    language: str
    locale: Locale


ENGLISH: Final = Reader(SOURCE, Locale(SOURCE))


def find_languages(folders: Iterable[Path], domain: str = DOMAIN) -> tuple[str, ...]:
    """The languages that have a catalogue in one of the folders, and English; in order of their codes.

    Raises:
        BadSettings: a folder's name is no language.
    """
    found = {SOURCE}
    for file in (file for folder in folders for file in folder.glob(f"*/LC_MESSAGES/{domain}.po")):
        name = file.parts[-3]
        try:
            found.add(tag(Locale.parse(name)))
        except (ValueError, UnknownLocaleError):
            raise BadSettings(f"{file}: {name!r} is no language such as es or pt_BR") from None
    return tuple(sorted(found))


def tag(locale: Locale) -> str:
    """A locale's name as HTTP and HTML have it (BCP 47), such as pt-BR."""
    return str(locale).replace("_", "-")


def read_translations(language: str, folders: Iterable[Path], domain: str = DOMAIN) -> NullTranslations:
    """The texts in one language; a text that an earlier folder lacks is looked for in the next one.

    Raises:
        BadSettings: a catalogue cannot be read, or what a text fills in differs.
    """
    translations = NullTranslations()
    for folder in folders:
        file = folder / language.replace("-", "_") / "LC_MESSAGES" / f"{domain}.po"
        if file.exists():
            catalogue = read_catalogue(file)
            _check_blanks(file, catalogue)
            compiled = BytesIO()
            write_mo(compiled, catalogue)
            compiled.seek(0)
            translations.add_fallback(Translations(compiled, domain))
    return translations


def read_catalogue(file: Path) -> Catalog:
    """A catalogue, or the template of all catalogues.

    Raises:
        BadSettings: it cannot be read; the line says why.
    """
    try:
        with file.open("rb") as lines:
            return read_po(lines, abort_invalid=True)
    except (OSError, PoFileError, ValueError, UnknownLocaleError) as error:
        raise BadSettings(f"{file} is no gettext catalogue: {error}") from None


def blanks(text: str) -> frozenset[str]:
    """What is filled in: {wait} and the like."""
    return frozenset(_BLANK.findall(text))


def choose(languages: Iterable[str], *, named: str = "", kept: str = "", header: str = "") -> Reader:
    """Who reads: by the language ``named`` in the address, else the one ``kept``, else ``Accept-Language``."""
    wanted = accepted(header)
    for asked in ([named], [kept], wanted):
        if language := _match(asked, languages):
            return Reader(language, _locale(language, wanted))
    return Reader(SOURCE, _locale(SOURCE, wanted))


def accepted(header: str) -> list[str]:
    """The languages of an ``Accept-Language`` header, the most wanted first (RFC 9110, section 12.5.4)."""
    found = (_WANTED.fullmatch(part) for part in header.split(","))
    weights = {match[1]: float(match[2] or 1) for match in found if match}
    return sorted((name for name in weights if weights[name]), key=lambda name: -weights[name])


def kept_choice(language: str, *, secure: bool) -> str:
    """The ``Set-Cookie`` that keeps a choice by hand for a year."""
    return f"{COOKIE}={language}; Path=/; Max-Age={_YEAR_S}; SameSite=Lax{'; Secure' if secure else ''}"


def _check_blanks(file: Path, catalogue: Catalog) -> None:
    for message in catalogue:
        wanted = {blanks(text) for text in _forms(message.id)}
        for text in _forms(message.string):
            if message.id and text and blanks(text) not in wanted:
                raise BadSettings(f"{file}: {text!r} must fill in what {_forms(message.id)[0]!r} does")


def _forms(text: str | Sequence[str] | None) -> Sequence[str]:
    return [text] if isinstance(text, str) else text or []


def _match(asked: Iterable[str], languages: Iterable[str]) -> str | None:
    """The first language asked for that there is, in its own spelling; pt-BR does for pt."""
    names: dict[str, str] = {}
    for name in languages:
        names.setdefault(name.partition("-")[0], name)
        names[name.lower()] = name
    return names.get((negotiate_locale(asked, names, sep="-") or "").lower())


def _locale(language: str, wanted: list[str]) -> Locale:
    """The reader's own kind of a language: en-GB for an English page, if that is what they accept."""
    base = language.partition("-")[0]
    for name in (name for name in wanted if name.partition("-")[0].lower() == base):
        try:
            return Locale.parse(name, sep="-")
        except (ValueError, UnknownLocaleError):
            continue
    return Locale.parse(language, sep="-")
