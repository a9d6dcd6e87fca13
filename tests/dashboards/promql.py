"""Just enough of PromQL to see which metrics and labels an expression names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_CLAUSE = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_RANGE = re.compile(r"\[[^\]]*\]")
_SELECTOR = re.compile(r"(?<![\w:$.])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\}|\()?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_WORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan"}


@dataclass(frozen=True)
class Selector:
    """A metric that an expression reads, and the labels it matches on."""

    metric: str
    labels: frozenset[str]


def selectors(expression: str) -> Iterator[Selector]:
    """The metrics that an expression reads."""
    bare = _RANGE.sub("", _CLAUSE.sub("", expression))
    for name, rest in _SELECTOR.findall(_STRING.sub('""', bare)):
        if rest != "(" and name.lower() not in _WORDS:
            yield Selector(name, frozenset(_MATCHER.findall(rest)))


def grouping_labels(expression: str) -> set[str]:
    """The labels that an expression groups or joins by."""
    found = {label.strip() for _, labels in _CLAUSE.findall(expression) for label in labels.split(",")}
    return found - {""}
