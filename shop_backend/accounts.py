"""Accounts and sessions."""

import hashlib
import secrets
import uuid
from dataclasses import dataclass, field

from sqlalchemy import delete, literal, select, update

from shop_backend.database import Database
from shop_backend.errors import SignInFailed
from shop_backend.passwords import Passwords
from shop_backend.tables import accounts, sessions
from shop_backend.texts import _
from waitroom.clock import Clock

SESSION_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Account:
    """A buyer. ``id`` is random and says nothing about them; the gate knows them by it."""

    id: str
    email: str
    password_hash: str = field(repr=False)


class Accounts:
    """Who buys here: register, sign in, and the sessions that follow.

    Nobody is told which addresses have an account: both answers are the same, and take the same work.
    """

    def __init__(self, database: Database, passwords: Passwords, clock: Clock) -> None:
        self._database = database
        self._passwords = passwords
        self._clock = clock

    async def register(self, email: str, password: str) -> bool:
        """Make an account, unless the address has one, which stays; whether it was made is nothing to tell."""
        row = {"id": uuid.uuid4().hex, "email": email, "password_hash": await self._passwords.hash(password)}
        insert = self._database.insert(accounts).values(**row, created_at=self._clock.now_ms())
        # An account that is there is written once more, so that both ways wait for the disk.
        either = insert.on_conflict_do_update(
            index_elements=["email"], set_={"email": insert.excluded.email}
        ).returning(accounts.c.id)
        async with self._database.write() as connection:
            return bool(await connection.scalar(either) == row["id"])

    async def verify(self, email: str, password: str) -> Account:
        """The account with this address and password.

        Raises:
            SignInFailed: when there is none.
        """
        query = select(accounts.c.id, accounts.c.email, accounts.c.password_hash)
        async with self._database.read() as connection:
            found = (await connection.execute(query.where(accounts.c.email == email))).first()
        if not await self._passwords.verify(found and found.password_hash, password) or not found:
            raise SignInFailed(_("This address and this password do not belong together."))
        return Account(*found)

    async def change_password(self, account: Account, password: str) -> Account:
        """The account with another password; all its sessions end."""
        return await self._replace(account, account.email, await self._passwords.hash(password))

    async def delete(self, account: Account) -> None:
        """Forget address and password, and end all sessions; nobody can sign in to this account any more.

        The empty row stays, with its random id: orders belong to it, and what was sold must be kept for the
        tax office (in Germany § 147 AO, in France art. L123-22 C. com.), which the GDPR allows (art. 17 (3) b).
        """
        await self._replace(account, f"deleted {account.id}", "none")

    async def open_session(self, account: Account) -> str:
        """A new session's token; the database keeps only its hash.

        Raises:
            SignInFailed: when the account has another password than the one that was verified.
        """
        token, now = secrets.token_urlsafe(32), self._clock.now_ms()
        still = select(literal(hash_token(token)), accounts.c.id, literal(now + SESSION_MS)).where(
            accounts.c.id == account.id, accounts.c.password_hash == account.password_hash
        )
        columns = ["token_hash", "account_id", "expires_at"]
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            done = await connection.execute(
                sessions.insert().from_select(columns, still.with_for_update(read=True))
            )
        if done.rowcount != 1:
            raise SignInFailed(_("This address and this password do not belong together."))
        return token

    async def of_session(self, token: str) -> Account | None:
        """Whose session this is, while it lasts."""
        query = (
            select(accounts.c.id, accounts.c.email, accounts.c.password_hash)
            .join(sessions)
            .where(sessions.c.token_hash == hash_token(token), sessions.c.expires_at > self._clock.now_ms())
        )
        async with self._database.read() as connection:
            found = (await connection.execute(query)).first()
        return Account(*found) if found else None

    async def close_session(self, token: str) -> None:
        """End a session."""
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.token_hash == hash_token(token)))

    async def close_all_sessions(self, account: Account) -> None:
        """End every session of an account, on all devices."""
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.account_id == account.id))

    async def _replace(self, account: Account, email: str, password_hash: str) -> Account:
        """Give an account another address and password hash, and end its sessions, in one step."""
        changed = update(accounts).where(accounts.c.id == account.id)
        async with self._database.write() as connection:
            await connection.execute(changed.values(email=email, password_hash=password_hash))
            await connection.execute(delete(sessions).where(sessions.c.account_id == account.id))
        return Account(account.id, email, password_hash)


def hash_token(token: str) -> str:
    """What the database knows a session by."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
