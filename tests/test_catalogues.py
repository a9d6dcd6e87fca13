"""The catalogues: every text of the waiting room's pages and of the shop's in every language, whole."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from gate.look import our_look
from shop_backend.readers import LANGUAGES

ROOT = Path(__file__).parents[1]
LOCALE = ROOT / "templates" / "locale"
DOMAINS = ("waitroom", "shop")
CATALOGUES = sorted(LOCALE.glob("*/LC_MESSAGES/*.po"))
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "plural": (1, 2), "count": (1, 2)}
each_catalogue = pytest.mark.parametrize("file", CATALOGUES, ids=lambda file: f"{file.parts[-3]}-{file.stem}")


def read(file: Path) -> Catalog:
    """A catalogue."""
    with file.open("rb") as lines:
        return read_po(lines)


def texts_of_the_pages(domain: str) -> set[str | tuple[str, ...]]:
    """What the templates and the errors for browsers say, as ``make texts`` collects it."""
    if domain == "waitroom":
        mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    else:
        mappings = tomllib.loads((ROOT / f"{domain}-texts.toml").read_text())["mappings"]
    methods = [(each["pattern"], each["method"]) for each in mappings]
    return {found[2] for found in extract_from_dir(ROOT, methods, keywords=KEYWORDS)}


def forms(text: str | Sequence[str] | None) -> Sequence[str]:
    """The singular and the plural, or the text."""
    return [text] if isinstance(text, str) else text or []


def blanks(text: str) -> list[str]:
    """What is filled in."""
    return sorted(re.findall(r"\{\w*\}", text))


def test_the_sales_languages_are_there() -> None:
    """Our shoppers read English, German or French."""
    assert our_look().languages == LANGUAGES == ("de", "en", "fr")


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_template_for_translators_is_up_to_date(domain: str) -> None:
    """It holds the texts of the pages and no others; if it does not, run ``make texts``."""
    template = read(LOCALE / f"{domain}.pot")
    assert {message.id for message in template if message.id} == texts_of_the_pages(domain)


@each_catalogue
def test_a_catalogue_is_whole(file: Path) -> None:
    """No text is missing, fuzzy or obsolete, and each has all the forms that its language needs."""
    catalogue = read(file)
    messages = [message for message in catalogue if message.id]
    assert {message.id for message in messages} == texts_of_the_pages(file.stem)
    assert not [message.id for message in messages if message.fuzzy]
    assert not catalogue.obsolete
    for message in messages:
        said = list(forms(message.string))
        assert all(text.strip() for text in said), message.id
        assert len(said) == (catalogue.num_plurals if message.pluralizable else 1), message.id


@each_catalogue
def test_a_catalogue_fills_in_the_same(file: Path) -> None:
    """A text in another language has the same blanks, and leaves no blank at an end that ours does not."""
    for message in read(file):
        wanted = {tuple(blanks(text)) for text in forms(message.id)}
        for text in forms(message.string) if message.id else ():
            assert tuple(blanks(text)) in wanted, text
            assert text == text.strip(), text


@pytest.mark.parametrize("domain", DOMAINS)
def test_french_signs_stay_with_their_words(domain: str) -> None:
    """No line can break before ; : ? ! and inside guillemets."""
    texts = [
        text for message in read(LOCALE / "fr/LC_MESSAGES" / f"{domain}.po") for text in forms(message.string)
    ]
    assert [text for text in texts[1:] if re.search(" [;:?!»]|« ", text)] == []


@each_catalogue
def test_a_catalogue_counts_as_its_language_does(file: Path) -> None:
    """Its plural forms are those of Unicode's rules for the language, by which the browser chooses."""
    catalogue = read(file)
    assert catalogue.locale is not None
    rules = catalogue.locale.plural_form
    assert len({rules(n) for n in range(1_000)}) == catalogue.num_plurals
