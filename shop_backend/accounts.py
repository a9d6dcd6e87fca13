"""Accounts and sessions."""

import hashlib
import secrets
import uuid
from dataclasses import dataclass

from sqlalchemy import delete, select

from shop_backend.database import Database
from shop_backend.errors import EmailTaken, SignInFailed
from shop_backend.passwords import Passwords
from shop_backend.tables import accounts, sessions
from waitroom.clock import Clock

SESSION_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Account:
    """A buyer. ``id`` is random and says nothing about them; the gate knows them by it."""

    id: str
    email: str


class Accounts:
    """Who buys here: register, sign in, and the sessions that follow."""

    def __init__(self, database: Database, passwords: Passwords, clock: Clock) -> None:
        self._database = database
        self._passwords = passwords
        self._clock = clock

    async def register(self, email: str, password: str) -> tuple[Account, bool]:
        """The account of a new buyer, and whether it was made now: repeating a request is no error.

        Raises:
            EmailTaken: when the address has an account with another password.
        """
        password_hash = await self._passwords.hash(password)
        account = Account(uuid.uuid4().hex, email)
        row = {"id": account.id, "email": email, "password_hash": password_hash}
        insert = self._database.insert(accounts).values(**row, created_at=self._clock.now_ms())
        async with self._database.write() as connection:
            done = await connection.execute(insert.on_conflict_do_nothing(index_elements=["email"]))
        if done.rowcount == 1:
            return account, True
        try:
            return await self.sign_in(email, password), False
        except SignInFailed:
            raise EmailTaken("There is an account with this address already: sign in to it.") from None

    async def sign_in(self, email: str, password: str) -> Account:
        """The account with this address and password.

        Raises:
            SignInFailed: when there is none.
        """
        query = select(accounts.c.id, accounts.c.password_hash).where(accounts.c.email == email)
        async with self._database.read() as connection:
            found = (await connection.execute(query)).first()
        if not await self._passwords.verify(found and found.password_hash, password) or not found:
            raise SignInFailed("This address and this password do not belong together.")
        return Account(found.id, email)

    async def open_session(self, account: Account) -> str:
        """A new session's token; the database keeps only its hash."""
        token = secrets.token_urlsafe(32)
        now = self._clock.now_ms()
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            await connection.execute(
                sessions.insert().values(
                    token_hash=_hash(token), account_id=account.id, expires_at=now + SESSION_MS
                )
            )
        return token

    async def of_session(self, token: str) -> Account | None:
        """Whose session this is, while it lasts."""
        query = (
            select(accounts.c.id, accounts.c.email)
            .join(sessions)
            .where(sessions.c.token_hash == _hash(token), sessions.c.expires_at > self._clock.now_ms())
        )
        async with self._database.read() as connection:
            found = (await connection.execute(query)).first()
        return Account(found.id, found.email) if found else None

    async def close_session(self, token: str) -> None:
        """End a session."""
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.token_hash == _hash(token)))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
