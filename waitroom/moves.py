"""What this process knows of tickets that were moved to another device.

Each move in a room has a number, from 1, and becomes the generation of the ticket that was moved; so of two tickets
with one number the later one counts. Moves come in with each ``call``. Memory grows with the tickets moved, and with
nothing else.
"""

from collections.abc import Sequence

from waitroom.errors import Moved
from waitroom.tickets import Ticket


class Moves:
    """The moved tickets of one room, as this process knows them."""

    def __init__(self) -> None:
        self.since = 0
        self._restarted = b""
        self._generations: dict[int, int] = {}

    def require_held(self, ticket: Ticket) -> None:
        """Let a ticket pass that is its number's latest, as far as is known here.

        Raises:
            Moved: another device has the place since.
        """
        if not self.is_held(ticket):
            raise Moved

    def is_held(self, ticket: Ticket) -> bool:
        """Whether a ticket is its number's latest, as far as is known here."""
        return self._generations.get(ticket.number, 0) <= ticket.generation

    def generation(self, number: int) -> int:
        """The latest generation known of a ticket's number; 0 if it was never moved."""
        return self._generations.get(number, 0)

    def remember(self, number: int, generation: int) -> None:
        """Take a move over; what is known already is never older than what is forgotten elsewhere."""
        self._generations[number] = max(self.generation(number), generation)

    def read(self, flat: Sequence[bytes], restarted: bytes) -> None:
        """Take over moves (number, generation, …) after ``since``; ``restarted`` changes when the store has restarted.

        Then it may have lost some and count again from there, so all that it has is read once more.
        """
        for number, generation in zip(flat[::2], flat[1::2], strict=True):
            self.remember(int(number), int(generation))
            self.since = max(self.since, int(generation))
        if restarted != self._restarted:
            self._restarted, self.since = restarted, 0
