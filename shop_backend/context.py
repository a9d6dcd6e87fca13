"""What handlers find in the application and in a request: every key in one place, typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler

from shop_backend.accounts import Account, Accounts
from shop_backend.database import Database
from shop_backend.limits import Limits
from shop_backend.metrics import Metrics
from shop_backend.orders import Orders
from shop_backend.payments import Payments
from shop_backend.settings import ShopSettings
from waitroom.clock import Clock
from waitroom.tickets import Tokens

SETTINGS = web.AppKey("settings", ShopSettings)
CLOCK = web.AppKey("clock", Clock)
TOKENS = web.AppKey("tokens", Tokens)
DATABASE = web.AppKey("database", Database)
ACCOUNTS = web.AppKey("accounts", Accounts)
LIMITS = web.AppKey("limits", Limits)
ORDERS = web.AppKey("orders", Orders)
PAYMENTS = web.AppKey("payments", Payments)
METRICS = web.AppKey("metrics", Metrics)

FORMS = web.AppKey("forms", dict[Handler, Handler])
"""For a handler of a form's POST the one that shows the form, so that a refused form comes back."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What an RFC 9457 problem document says; title and text are marked, and {names} in the text are facts."""

    status: int
    type: str
    title: str
    text: str = ""
    facts: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Visit:
    """The visit that a pass stands for: what its page says of the time, in epoch milliseconds.

    Attributes:
        room: path of the waiting room.
        next: path of the shop to come back to.
    """

    room: str
    next: str
    now: int
    ends_at: int


ACCOUNT = web.RequestKey("account", Account)
NEW_SESSION = web.RequestKey("new_session", str)
PROBLEM = web.RequestKey("problem", Problem)
VISIT = web.RequestKey("visit", Visit)


def wants_json(request: web.Request) -> bool:
    """Whether a script asks rather than a browser, which always says that it reads HTML."""
    return "text/html" not in request.headers.get("Accept", "")
