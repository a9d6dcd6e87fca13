"""What a gate knows of tickets that were moved to another device."""

import pytest

from waitroom.errors import Moved
from waitroom.moves import Moves
from waitroom.tickets import Ticket


def ticket(number: int, generation: int = 0) -> Ticket:
    """A ticket of some generation."""
    return Ticket("mi-launch", number, bytes(16), "", generation)


def test_of_the_tickets_with_one_number_the_latest_counts() -> None:
    """The others' holders are told; whoever was never moved is not concerned."""
    moves = Moves()
    moves.read([b"7", b"1", b"8", b"2", b"7", b"3"], b"")
    assert [moves.is_held(ticket(7, generation)) for generation in (0, 1, 3, 4)] == [False, False, True, True]
    assert moves.is_held(ticket(9))
    moves.require_held(ticket(8, 2))
    with pytest.raises(Moved, match="moved to another device"):
        moves.require_held(ticket(8))


def test_moves_are_read_on_from_the_last_one() -> None:
    """Each is read once; where the store restarted, all of them are once more, and none that is known is forgotten."""
    moves = Moves()
    moves.read([b"7", b"4"], b"")
    assert moves.since == 4
    moves.read([], b"1432033201000")
    assert moves.since == 0
    moves.read([b"7", b"2", b"9", b"3"], b"1432033201000")
    assert moves.since == 3
    assert [moves.generation(number) for number in (7, 8, 9)] == [4, 0, 3]
