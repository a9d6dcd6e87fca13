"""The store: the only module that speaks to Valkey/Redis.

Every verb is one Lua script in ``lua/``, registered once and run by its digest. All but ``found`` share the
prelude ``lua/room.lua``, so that the phase, the healing and the sweeping are written once.
"""

from collections.abc import AsyncIterator, Sequence
from importlib import resources
from typing import Any

import hiredis
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript

from waitroom.clock import Clock
from waitroom.errors import StoreAway, StoreUnfit, WaitroomError
from waitroom.events import Observe, ScriptRan, ignore

OLDEST = (7, 0)
CONNECTIONS = 16
VERBS = (
    "join", "freeze", "publish", "settle", "call", "knock", "defer", "claim", "leave", "touch", "extend", "hold",
    "units", "tune", "trouble", "seal",
)  # fmt: skip

# What a server says when it is there but cannot serve now; asking again later is right. For some of its error
# codes the client has a class and takes the code out of the text.
_AWAY_ERRORS = (exceptions.OutOfMemoryError, exceptions.ReadOnlyError, exceptions.ClusterDownError)
_AWAY_REPLIES = ("MISCONF", "NOREPLICAS", "BUSY")

Argument = str | bytes | float


class Unfounded(StoreAway):
    """The room is not in the store: it has lost everything, and a gate's next tick founds the room again."""


class Store:
    """A client of the store, shared by all rooms of a process.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        clock: the clock that ``correct_clock`` sets right, and that measures script calls.
        observe: is told of each script call.
    """

    def __init__(self, url: str, clock: Clock, observe: Observe = ignore) -> None:
        self._clock = clock
        self._observe = observe
        # One immediate second try replaces a connection that died while it lay idle; every verb may be
        # repeated. Waiting is left to the caller, who knows what else to do meanwhile.
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=2,
            socket_timeout=2,
            socket_connect_timeout=1,
            retry=Retry(NoBackoff(), 1),
        )
        pool.connection_class = _packing_in_c(pool.connection_class)
        self._redis: Redis = Redis.from_pool(pool)
        prelude = _source("room")
        self._scripts: dict[str, AsyncScript] = {
            verb: self._redis.register_script(prelude + _source(verb)) for verb in VERBS
        }
        self._scripts["found"] = self._redis.register_script(_source("found"))

    async def run(self, verb: str, keys: Sequence[str], args: Sequence[Argument]) -> Any:  # noqa: ANN401
        """Run a verb's script and return its answer, texts as bytes.

        Raises:
            StoreAway: the store did not answer; whether the script ran is not known, and it may be repeated.
            Unfounded: the room is not in the store.
        """
        started = self._clock.monotonic()
        ok = False
        try:
            answer = await self._scripts[verb](keys, args)
            ok = True
        except exceptions.RedisError as error:
            raise _explain(error) from error
        finally:
            self._observe(ScriptRan(verb, self._clock.monotonic() - started, ok))
        return answer

    async def check(self) -> list[str]:
        """Whether this server may be used; answers warnings that its operator should read.

        Raises:
            StoreAway: it does not answer.
            StoreUnfit: it is too old, or a replica that cannot be written to.
        """
        try:
            info = await self._redis.info()
            config = await self._redis.config_get("maxmemory-policy", "appendonly", "save")
        except exceptions.RedisError as error:
            raise _explain(error) from error
        version = info.get("valkey_version") or info["redis_version"]
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
            raise StoreUnfit(f"the store runs version {version}; it must be Valkey or Redis 7.0 or newer")
        if info["role"] != "master":
            raise StoreUnfit("the store is a read-only replica; REDIS_URL must name the primary")
        warnings = []
        if config.get("maxmemory-policy") != "noeviction":
            warnings.append("maxmemory-policy is not noeviction: the store may forget places in the line")
        if config.get("appendonly") != "yes" and not config.get("save"):
            warnings.append("persistence is off: a restart of the store loses the line")
        return warnings

    async def correct_clock(self) -> None:
        """Set this machine's clock by the store's, which all gates share.

        Raises:
            StoreAway: it does not answer.
        """
        sent = self._clock.now_ms()
        try:
            seconds, microseconds = await self._redis.time()
        except exceptions.RedisError as error:
            raise _explain(error) from error
        self._clock.correct(seconds * 1000 + microseconds // 1000, sent, self._clock.now_ms())

    async def read_bytes(self, key: str, chunk: int = 1 << 20) -> AsyncIterator[bytes]:
        """A string's bytes, piece by piece, so that a long roll is never held whole.

        Raises:
            StoreAway: the store does not answer.
        """
        at = 0
        while True:
            piece = await self.read_range(key, at, at + chunk)
            if not piece:
                return
            yield piece
            at += len(piece)

    async def read_range(self, key: str, start: int, end: int) -> bytes:
        """The bytes of a string from ``start`` up to ``end``, as far as there are any.

        Raises:
            StoreAway: the store does not answer.
        """
        try:
            piece: Any = await self._redis.getrange(key, start, end - 1)
        except exceptions.RedisError as error:
            raise _explain(error) from error
        return bytes(piece)

    async def read_stream(self, key: str, after: str, most: int) -> list[tuple[str, dict[str, str]]]:
        """Entries of a stream after the id ``after`` ("0" for all), at most ``most``, oldest first.

        Raises:
            StoreAway: the store does not answer.
        """
        try:
            entries: Any = await self._redis.xrange(key, min=f"({after}", count=most)
        except exceptions.RedisError as error:
            raise _explain(error) from error
        return [
            (entry_id.decode(), {name.decode(): value.decode() for name, value in fields.items()})
            for entry_id, fields in entries
        ]

    async def claim(self, key: str, seconds: int) -> bool:
        """Take a name that nobody else has taken in the last ``seconds``; says whether it was free.

        Raises:
            StoreAway: the store does not answer.
        """
        try:
            return bool(await self._redis.set(key, 1, nx=True, ex=seconds))
        except exceptions.RedisError as error:
            raise _explain(error) from error

    async def is_claimed(self, key: str) -> bool:
        """Whether somebody has taken this name.

        Raises:
            StoreAway: the store does not answer.
        """
        try:
            return bool(await self._redis.exists(key))
        except exceptions.RedisError as error:
            raise _explain(error) from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._redis.aclose(close_connection_pool=True)


def _packing_in_c(connection_class: type[AbstractConnection]) -> type[AbstractConnection]:
    """A connection that packs script calls by hiredis, as the synchronous client does: a batch of joins is long."""

    class Connection(connection_class):  # type: ignore[misc,valid-type]
        def pack_command(self, *args: Any) -> list[bytes]:  # noqa: ANN401 - what redis-py takes
            if args[0] == "EVALSHA":
                return [hiredis.pack_command(args)]
            packed: list[bytes] = super().pack_command(*args)
            return packed

    return Connection


def _source(name: str) -> str:
    return resources.files("waitroom").joinpath("lua", f"{name}.lua").read_text()


def _explain(error: exceptions.RedisError) -> WaitroomError | exceptions.RedisError:
    if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError):
        return StoreAway(f"the store does not answer: {error}")
    text = str(error)
    if text.startswith("UNFOUNDED"):
        return Unfounded(text.removeprefix("UNFOUNDED "))
    if isinstance(error, _AWAY_ERRORS) or text.startswith(_AWAY_REPLIES):
        return StoreAway(f"the store cannot serve now: {text}")
    return error
