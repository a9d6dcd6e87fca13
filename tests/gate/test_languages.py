"""Which language a reader gets, on which page."""

from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from gate.languages import choose
from tests.gate.front import BASE, HTML, Front, open_front
from waitroom.clock import ManualClock
from waitroom.errors import BadSettings
from waitroom.languages import accepted, find_languages, read_translations

PLAIN = {"Accept-Encoding": "identity"}
LANGUAGES = ("de", "en", "fr", "pt-BR", "zh-Hant")

ACCEPTED = {
    "": [],
    "de": ["de"],
    "fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5": ["fr-CH", "fr", "en", "de"],
    "en;q=0.2,de;q=0.7,fr": ["fr", "de", "en"],
    "de;q=0, en": ["en"],
    "de ; Q=0.5 , en;q=0.6": ["en", "de"],
    "de;q=2, en;q=x, fr;q=0.1234, <b>, ,": [],
}


@pytest.mark.parametrize("header", ACCEPTED)
def test_languages_are_wanted_by_their_weight(header: str) -> None:
    """Equal weights keep their order; what is refused, nonsense or any language is left out."""
    assert accepted(header) == ACCEPTED[header]


CHOSEN = [
    ("/", "de-AT,en;q=0.9", "", "de", "de_AT"),
    ("/", "es,fr;q=0.1", "", "fr", "fr"),
    ("/", "es", "", "en", "en"),
    ("/", "en-GB", "", "en", "en_GB"),
    ("/", "en-XX", "", "en", "en"),
    ("/", "pt", "", "pt-BR", "pt"),
    ("/", "zh-hant", "", "zh-Hant", "zh_Hant"),
    ("/", "DE", "fr", "fr", "fr"),
    ("/?lang=de", "en", "fr", "de", "de"),
    ("/?lang=tlh", "en", "fr", "fr", "fr"),
    ("/?lang=%22%3E%3Cb%3E", "", "../de", "en", "en"),
]


@pytest.mark.parametrize("target, header, kept, language, locale", CHOSEN)
def test_a_choice_by_hand_goes_before_the_browsers(
    target: str, header: str, kept: str, language: str, locale: str
) -> None:
    """The address, then the cookie, then Accept-Language, then English; numbers are the reader's own."""
    headers = {"Accept-Language": header, "Cookie": f"a=b; waitroom_language={kept}"}
    reader = choose(make_mocked_request("GET", target, headers), LANGUAGES)
    assert (reader.language, str(reader.locale)) == (language, locale)


@given(header=st.text(), named=st.text(), kept=st.text())
def test_nobody_can_ask_for_a_language_that_is_not_there(header: str, named: str, kept: str) -> None:
    """Whatever a request says, it gets one of the languages and a locale."""
    request = make_mocked_request(
        "GET", f"/?lang={quote(named)}", {"Accept-Language": header, "Cookie": f"waitroom_language={kept}"}
    )
    assert choose(request, LANGUAGES).language in LANGUAGES


async def test_the_waiting_page_is_the_same_for_all_of_one_language(front: Front) -> None:
    """It follows Accept-Language and the address alone, says so to caches, and sets no cookie."""
    anyone = front.shopper()
    german = await anyone.get(BASE, PLAIN | {"Accept-Language": "de-CH,en;q=0.5"})
    assert '<html lang="de" dir="ltr">' in german.text
    assert german.headers["Content-Language"] == "de"
    assert german.headers["Vary"] == "Accept-Encoding, Accept-Language"
    assert "Set-Cookie" not in german.headers
    somebody = front.shopper("anna", waitroom_language="fr")
    same = await somebody.get(BASE, PLAIN | {"Accept-Language": "de"})
    assert (same.body, same.headers["ETag"]) == (german.body, german.headers["ETag"])
    french = await anyone.get(f"{BASE}?lang=fr", PLAIN | {"Accept-Language": "de"})
    assert '<html lang="fr"' in french.text
    assert "Set-Cookie" not in french.headers
    assert french.headers["ETag"] != german.headers["ETag"]


async def test_the_plain_page_keeps_a_choice_by_hand(front: Front) -> None:
    """Its links name the language, and a cookie keeps it if the browser's is another."""
    shopper = front.shopper()
    plain = f"{BASE}?plain=1&next=/sale"
    page = await shopper.get(plain, {"Accept-Language": "de"})
    assert "Stellen Sie sich an" in page.text
    assert f'href="{BASE}?plain=1&amp;next=%2Fsale&amp;lang=fr" lang="fr"' in page.text
    assert shopper.cookies == {}
    await shopper.get(f"{plain}&lang=de", {"Accept-Language": "de"})
    assert shopper.cookies == {}
    await shopper.get(f"{plain}&lang=fr", {"Accept-Language": "de"})
    assert shopper.cookies == {"waitroom_language": "fr"}
    assert "Rejoignez la file" in (await shopper.get(plain, {"Accept-Language": "de"})).text


async def test_a_shop_in_trouble_is_told_in_the_readers_language(
    redis: Redis, store_url: str, clock: ManualClock
) -> None:
    """The page is the reader's; a program's document stays as it is."""
    redis.ping()
    async with open_front(store_url, clock, upstream="http://127.0.0.1:9") as front:
        shopper = front.shopper(waitroom_language="fr")
        page = await shopper.get("/", HTML | {"Accept-Language": "de"})
        assert "La boutique est injoignable" in page.text
        document = await shopper.get("/")
        assert document.problem == (502, "shop-unreachable")
        assert document.document["title"] == "The shop cannot be reached"


def _catalogue(folder: Path, name: str, text: str) -> Path:
    file = folder / name / "LC_MESSAGES" / "waitroom.po"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def test_a_folder_that_is_no_language_is_named(tmp_path: Path) -> None:
    """A typing error in a folder's name is told with the name."""
    _catalogue(tmp_path, "germna1", "")
    with pytest.raises(BadSettings, match="'germna1' is no language such as es or pt_BR"):
        find_languages([tmp_path])


def test_a_broken_catalogue_is_named(tmp_path: Path) -> None:
    """With what is wrong: it is none, or a text of it cannot be filled in."""
    file = _catalogue(tmp_path, "es", "Salir")
    assert find_languages([tmp_path]) == ("en", "es")
    with pytest.raises(BadSettings, match=f"^{file} is no gettext catalogue: Unknown"):
        read_translations("es", [tmp_path])
    file.write_bytes(b"\xff")
    with pytest.raises(BadSettings, match=f"^{file} is no gettext catalogue: 'utf-8'"):
        read_translations("es", [tmp_path])
    file.write_text('msgid "about {wait}"\nmsgstr "{espera}"\n')
    with pytest.raises(BadSettings, match=f"^{file}: '{{espera}}' must fill in what 'about {{wait}}' does$"):
        read_translations("es", [tmp_path])
