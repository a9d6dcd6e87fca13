"""Texts for shoppers, marked where they stand and said in the reader's language where they are shown."""


def _(text: str) -> str:
    """Mark a text for ``make texts``; {names} in it are filled in when it is shown, by ``Reader.say``.

    Programs get it in English.
    """
    return text
