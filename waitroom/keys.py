"""Names of a room's keys in the store. The braces are a hash tag: all keys of a room share a cluster slot."""


class Keys:
    """The keys of one room; DESIGN's section 4 says what each holds."""

    def __init__(self, room: str) -> None:
        self._prefix = f"waitroom:{{{room}}}:"
        self.line = self._prefix + "line"
        self.settings = self._prefix + "settings"
        self.roll = self._prefix + "roll"
        self.holders = self._prefix + "holders"
        self.coming = self._prefix + "coming"
        self.door = self._prefix + "door"
        self.knocks = self._prefix + "knocks"
        self.visits = self._prefix + "visits"
        self.entered = self._prefix + "entered"
        self.ended = self._prefix + "ended"
        self.spent = self._prefix + "spent"
        self.generations = self._prefix + "generations"
        self.claims = self._prefix + "claims"
        self.log = self._prefix + "log"
        self.audit = self._prefix + "audit"

    def retry(self, entropy: bytes) -> str:
        """Where the answer to a join with this entropy is kept for a repeat."""
        return f"{self._prefix}retry:{entropy.hex()}"
