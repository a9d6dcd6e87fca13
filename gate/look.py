"""How pages look and speak: ours, or what an operator makes of them in ``waitroom.toml`` and a folder of templates."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, cached_property
from gettext import NullTranslations
from pathlib import Path
from typing import Final

from babel import Locale
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined

from gate.colours import colours_css
from gate.logo import read_logo
from gate.sources import read_style
from waitroom.appearance import Texts
from waitroom.errors import BadSettings
from waitroom.languages import blanks, find_languages, read_catalogue, read_translations
from waitroom.settings import RoomSettings

TEMPLATES: Final = Path(__file__).parent.parent / "templates"
_NO_TEXTS: Final = Texts()


class Look:
    """Templates, texts, colours and logo of a room's pages.

    Args:
        name: the room's, for errors.
        room: what the operator has set; without it the look is ours.
        folder: the operator's own templates, which override ours file by file; catalogues in its ``locale``
            override ours text by text.

    Raises:
        BadSettings: something of the operator's cannot be used; one line says what and why.
    """

    def __init__(self, name: str = "", room: RoomSettings | None = None, folder: Path | None = None) -> None:
        if folder is not None and not folder.is_dir():
            raise BadSettings(f"templates = {str(folder)!r}: there is no such folder")
        self._room = room or RoomSettings()
        self._folders = [TEMPLATES] if folder is None else [folder, TEMPLATES]
        locales = [each / "locale" for each in self._folders]
        self.languages = find_languages(locales)
        _check_texts(name, self._room.texts, self.languages)
        self._translations = {each: self._read(each, locales) for each in self.languages}
        self.style = colours_css(name, self._room.colours, self._room.colours_dark) + read_style()
        self.logo = "" if self._room.logo is None else read_logo(f"rooms.{name}.logo", self._room.logo)
        self._environments: dict[str, Environment] = {}

    def title(self, language: str, title: str) -> str:
        """The room's title in a language, if the operator has one for it, else as it is."""
        return self._texts(language).title or title

    def own(self, language: str) -> dict[str, str]:
        """What the operator says, and how that is said in this language: the notice, reasons of a pause."""
        texts = self._texts(language)
        notice = {self._room.notice: texts.notice} if texts.notice and self._room.notice else {}
        return texts.reasons | notice

    @cached_property
    def names(self) -> dict[str, str]:
        """The languages under their own names."""
        found = {each: Locale.parse(each, sep="-").get_display_name() or each for each in self.languages}
        return {each: name[:1].upper() + name[1:] for each, name in found.items()}

    def environment(self, language: str) -> Environment:
        """The templates in one language; all is escaped, a missing value fails."""
        if language not in self._environments:
            self._environments[language] = self._build(language)
        return self._environments[language]

    def _build(self, language: str) -> Environment:
        env = Environment(
            loader=ChoiceLoader(
                [*map(FileSystemLoader, self._folders), PrefixLoader({"ours": FileSystemLoader(TEMPLATES)})]
            ),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        translations, locale = self._translations[language], Locale.parse(language, sep="-")
        env.install_gettext_translations(translations)  # type: ignore[attr-defined]

        def plural(one: str, other: str) -> dict[str, str]:
            """All forms under the names that Intl.PluralRules gives them in this language."""
            return {locale.plural_form(n): translations.ngettext(one, other, n) for n in range(200)}

        env.globals.update(
            plural=plural,
            language=language,
            direction="rtl" if locale.text_direction == "rtl" else "ltr",
            languages=self.names,
            logo=self.logo,
            css=self.style,
        )
        return env

    def _texts(self, language: str) -> Texts:
        return self._room.texts.get(language, _NO_TEXTS)

    def _read(self, language: str, locales: list[Path]) -> NullTranslations:
        texts = _OwnTexts(self._texts(language).ours)
        texts.add_fallback(read_translations(language, locales))
        return texts


class _OwnTexts(NullTranslations):
    """Texts of ours as the operator says them in one room."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__()
        self._texts = texts

    def gettext(self, message: str) -> str:
        return self._texts.get(message) or super().gettext(message)


@cache
def our_look() -> Look:
    """The look of pages that belong to no room."""
    return Look()


@cache
def _our_texts() -> frozenset[str]:
    """All texts that can be said in other words; those with plural forms need a catalogue."""
    messages = read_catalogue(TEMPLATES / "locale" / "waitroom.pot")
    return frozenset(message.id for message in messages if isinstance(message.id, str) and message.id)


def _check_texts(room: str, texts: Mapping[str, Texts], languages: tuple[str, ...]) -> None:
    for language, said in texts.items():
        where = f"rooms.{room}.texts.{language}"
        if language not in languages:
            raise BadSettings(f"{where}: the pages speak {', '.join(languages)}")
        for text, instead in said.ours.items():
            if text not in _our_texts():
                close = get_close_matches(text, _our_texts(), 1, 0.4)
                hint = f"; {close[0]!r} is one" if close else ""
                raise BadSettings(f"{where}: {text!r} is no text of the pages{hint}")
            if blanks(text) != blanks(instead):
                wanted = " and ".join(sorted(blanks(text))) or "nothing in braces"
                raise BadSettings(f"{where}.{text!r} = {instead!r}: it must hold {wanted}")
