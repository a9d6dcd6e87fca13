"""What an operator may set of how a room looks and speaks."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from waitroom.faults import like

Colour = Annotated[str, like(r"#[0-9a-fA-F]{6}", "a colour as #rrggbb, such as #0a6b57")]
Language = Annotated[str, like(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", "a language's code, such as de or pt-BR")]
Said = Annotated[str, Field(max_length=500)]


class Colours(BaseModel):
    """Three colours of a page; every other colour follows from them. What is not set is ours.

    Attributes:
        paper: the background.
        ink: the text; at least 4.5:1 against the paper.
        accent: buttons, and the background when it is the shopper's turn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    paper: Colour | None = None
    ink: Colour | None = None
    accent: Colour | None = None


class Texts(BaseModel):
    """What a room says in one language; any text of the pages stands under its English wording.

    Attributes:
        title: the room's title.
        notice: the room's notice.
        reasons: reasons that an operator may give for a pause, and how they are said in this language.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Said]

    title: str = Field(default="", max_length=200)
    notice: Said = ""
    reasons: dict[str, Said] = Field(default_factory=dict)

    @property
    def ours(self) -> dict[str, str]:
        """Texts of the pages, by their English wording, and what is said instead."""
        return self.__pydantic_extra__
