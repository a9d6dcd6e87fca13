"""What a shopper can be told, as a short ladder of errors; ``problems`` gives each its answer."""


class ShopError(Exception):
    """Base of every error the shop raises on purpose.

    ``text`` is a sentence for the shopper, to be translated, in which ``{name}`` stands for one of ``facts``,
    which are for programs.
    """

    def __init__(self, text: str, **facts: str | int) -> None:
        super().__init__(text)
        self.text = text
        self.facts = facts


class BadInput(ShopError):
    """A field of the request is missing or makes no sense."""

    def __init__(self, field: str, text: str, **facts: str | int) -> None:
        super().__init__(text, field=field, **facts)


class UnknownBody(ShopError):
    """The body is neither JSON nor a plain form."""


class Forged(ShopError):
    """The request comes from another site's page, or from a form that this browser was not given."""


class SignInFailed(ShopError):
    """No such address, or not its password."""


class TooMany(ShopError):
    """Too many attempts from one client or at one account; ``retry_after_s`` says when the next is heard."""


class SignInNeeded(ShopError):
    """Only somebody who is signed in may do this."""


class PassNeeded(ShopError):
    """The sale is behind a waiting room, and the request carries no pass that is good now."""


class LimitReached(ShopError):
    """The buyer would hold more than two units of a product."""


class NotEnough(ShopError):
    """Fewer units are free than were asked for."""


class KeyReused(ShopError):
    """The idempotency key came with a different order before."""


class OrderUnknown(ShopError):
    """This buyer has no such order."""


class OrderOver(ShopError):
    """The order is no longer held, so that what was asked for comes too late."""


class AddressNeeded(ShopError):
    """The order has no address yet, so nobody can say what it costs in all."""


class ProviderSilent(ShopError):
    """The payment provider does not answer; what became of the payment is asked for again until it is known."""


class Busy(ShopError):
    """Too much to do, or the database is away; ask again."""
