"""The sandbox's cards: what a card is, and which of them are accepted. No money moves."""

from dataclasses import dataclass

DECLINED = frozenset({"4000000000000002"})
"""The usual test number of a card that is declined; every other valid number is accepted."""


@dataclass(frozen=True, slots=True)
class Card:
    """A card number of 12 to 19 digits whose check digit is right; only its end is ever stored."""

    number: str

    @property
    def ending(self) -> str:
        """The last four digits."""
        return self.number[-4:]

    @property
    def accepted(self) -> bool:
        """What the sandbox says about it."""
        return self.number not in DECLINED


def passes_luhn(number: str) -> bool:
    """Whether the last digit of a number is the check digit of ISO/IEC 7812-1, annex B."""
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
