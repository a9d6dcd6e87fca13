"""What can go wrong, as a short ladder of errors with the fields a page or a problem document needs."""


class WaitroomError(Exception):
    """Base of every error this package raises on purpose."""


class BadSettings(WaitroomError):
    """A setting is missing or wrong; the text names it, its value and what would be right."""


class StoreUnfit(WaitroomError):
    """The store answers, but must not be used: too old, or read-only."""


class StoreAway(WaitroomError):
    """The store cannot be reached; nothing was changed, as far as anyone can tell. Ask again."""


class TokenInvalid(WaitroomError):
    """A token is forged, edited, made for another purpose or for another room."""

    def __init__(self, purpose: str, reason: str = "not signed by this waiting room") -> None:
        super().__init__(f"the {purpose} is not valid: {reason}")
        self.purpose = purpose


class TokenExpired(TokenInvalid):
    """A token was good until ``expired_at`` (epoch ms)."""

    def __init__(self, purpose: str, expired_at: int) -> None:
        super().__init__(purpose, "its time is up")
        self.expired_at = expired_at


class Refused(WaitroomError):
    """A verb says no to this shopper, for a reason that the shopper is told."""


class IdentityNeeded(Refused):
    """The room gives one ticket to one identity, and the request carries none."""

    def __init__(self) -> None:
        super().__init__("this room asks you to sign in at the shop first")


class NotJoinable(Refused):
    """No tickets are issued in this ``phase``."""

    def __init__(self, phase: str) -> None:
        super().__init__(f"no tickets are issued while the room is {phase}")
        self.phase = phase


class NotOpen(Refused):
    """Nobody enters in this ``phase``."""

    def __init__(self, phase: str) -> None:
        super().__init__(f"nobody enters while the room is {phase}")
        self.phase = phase


class NotCalled(Refused):
    """The place's turn has not come; ``ahead`` places are called before it."""

    def __init__(self, ahead: int) -> None:
        super().__init__(f"not called yet: {ahead} places come first")
        self.ahead = ahead


class Spent(Refused):
    """The ticket has entered, left the line, or was replaced: it gets nothing more."""

    def __init__(self) -> None:
        super().__init__("this ticket is spent; join again for a new place at the end of the line")


class Moved(Refused):
    """The ticket's place was moved to another device, which holds it now."""

    def __init__(self) -> None:
        super().__init__("your place was moved to another device; go on there")


class LinkUsed(Refused):
    """The link that hands a place over was used already, by another device."""

    def __init__(self) -> None:
        super().__init__("this link was used already; make a new one on the device that holds the place")


class OtherAccount(Refused):
    """The place in the link belongs to an identity, and it is not the one that asks."""

    def __init__(self) -> None:
        super().__init__(
            "this place belongs to another account; sign in at the shop with the one that holds it"
        )


class InShop(Refused):
    """The ticket's visit is under way: its place cannot be put off or handed on any more."""

    def __init__(self) -> None:
        super().__init__("your visit has begun: its place cannot be put off or handed on any more")


class VisitOver(Refused):
    """The visit has ended: its pass is good for nothing more."""

    def __init__(self) -> None:
        super().__init__("your visit is over; join again for a new place at the end of the line")


class NoMoreTime(Refused):
    """The visit cannot be made longer: the room gives no more time, or this visitor has had all of it."""

    def __init__(self) -> None:
        super().__init__("this visit cannot be made longer")


class OneVisitOnly(Refused):
    """The room lets each identity enter once, and this one has."""

    def __init__(self) -> None:
        super().__init__("this room lets everyone in once, and your visit is over")


class WorkNeeded(Refused):
    """The room asks for work before a join, and what came is ``missing``, ``wrong`` or ``expired``: the ``reason``.

    ``challenge`` is the address that says what is to be done.
    """

    def __init__(self, reason: str, challenge: str) -> None:
        super().__init__(
            "against programs, this room asks every browser for a little work before it joins, and here it is "
            f"{reason}: get {challenge}?for=<SHA-256 of your entropy>, solve it, and join again with it as work "
            "and with the same entropy; the waiting page does so by itself, and without JavaScript it waits instead"
        )
        self.reason = reason
        self.challenge = challenge


class TooManyJoins(Refused):
    """Too many have joined from the same network lately; the next may in ``retry_after_s``."""

    reason = "too_many"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            "many are joining from your network at once, and this room lets in only so many of them in a minute; "
            f"ask again in {retry_after_s} seconds, nothing else is needed"
        )
        self.retry_after_s = retry_after_s


class Conflict(WaitroomError):
    """A change was based on an older version of the settings, or is no legal move from here."""


class BeaconInvalid(WaitroomError):
    """What was delivered is not the beacon's signature of this ``round``."""

    def __init__(self, number: int) -> None:
        super().__init__(f"this is not the signature of the beacon's round {number}")
        self.round = number


class BeaconNotAwaited(Conflict):
    """No beacon is awaited: the room draws without one, its round is still to come, or it is drawn already."""

    def __init__(self) -> None:
        super().__init__("no beacon is awaited: the round is still to come, or the draw has it already")
