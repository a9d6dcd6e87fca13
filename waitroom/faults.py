"""What is wrong with a setting, in one line for whoever wrote it: where, which, the value, what would be right."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import AfterValidator, ValidationError
from pydantic_core import ErrorDetails

_LONGEST = 60

_WANTED: dict[str, str] = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be a text in quotes",
    "path_type": "must be a path in quotes",
    "tuple_type": 'must be a list, such as ["…"]',
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "timezone_aware": "must be a time with its offset, such as 2015-05-19T13:00:00+02:00",
    "datetime_type": "must be a time with its offset, such as 2015-05-19T13:00:00+02:00",
    "datetime_parsing": "must be a time with its offset, such as 2015-05-19T13:00:00+02:00",
    "datetime_from_date_parsing": "must be a time with its offset, such as 2015-05-19T13:00:00+02:00",
    "ip_v4_network": "must be a network or an address, such as 10.0.0.0/8",
    "greater_than": "must be above {gt:.12g}",
    "greater_than_equal": "must be at least {ge:.12g}",
    "less_than": "must be below {lt:.12g}",
    "less_than_equal": "must be at most {le:.12g}",
    "string_too_long": "must be at most {max_length} characters long",
    "too_short": "must have a length of at least {min_length}",
    "literal_error": "must be {expected}",
}


def like(pattern: str, wanted: str) -> AfterValidator:
    """A check that a text matches a pattern as a whole; ``wanted`` says in words what would be right."""
    matches: Callable[[str], object] = re.compile(pattern).fullmatch

    def check(text: str) -> str:
        if not matches(text):
            raise ValueError(f"must be {wanted}")
        return text

    return AfterValidator(check)


def explain(
    error: ValidationError, file: Path, variables: Mapping[str, str], hidden: set[str], known: set[str]
) -> str:
    """The first fault of some settings.

    Args:
        error: what the check found.
        file: where settings come from that no variable has set.
        variables: the environment variable of each setting that one has set.
        hidden: settings whose value must not be shown.
        known: names of settings, one of which may have been meant.
    """
    first = error.errors()[0]
    # The rest of the path is places in lists, and the checker's own names.
    names = [part for part in first["loc"] if isinstance(part, str) and not part.startswith(("[", "lax-"))]
    setting = variables.get(names[0]) or f"{file}: {'.'.join(names)}"
    if first["type"] == "extra_forbidden":
        close = get_close_matches(names[-1], known, 1, 0.8)
        return f"{setting} is no setting; " + (
            f"{close[0]} is one" if close else "the project's waitroom.toml lists them"
        )
    shown = "(hidden)" if names[0] in hidden else _show(first["input"])
    # A table is not shown: what is wrong in it is named by the text.
    is_named = isinstance(first["input"], dict) or first["loc"][-1] == "[key]"
    return f"{setting}: {_wanted(first)}" if is_named else f"{setting} = {shown}: {_wanted(first)}"


def _wanted(error: ErrorDetails) -> str:
    words = _WANTED.get(error["type"])
    if words is None:
        return error["msg"].removeprefix("Value error, ")
    return words.format(**error.get("ctx", {}))


def _show(value: Any) -> str:  # noqa: ANN401 - whatever a file may hold
    match value:
        case bool():
            text = str(value).lower()
        case float():
            text = f"{value:.12g}"
        case datetime() | date() | time():
            text = value.isoformat()
        case _:
            text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
