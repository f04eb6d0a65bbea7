"""Where pools' own models are found, as the controller handed it over; kept over restarts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from pydantic import ValidationError
from sqlalchemy import Connection, delete, insert, select

from pointsman_operator.compile.endpoints import OwnModel, PoolEndpoints
from pointsman_operator.hub import schema
from pointsman_operator.hub.engines import limits
from pointsman_operator.hub.errors import HubError
from pointsman_operator.hub.tables import Fence, Tables
from pointsman_operator.ledger.database import Database

PoolName = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True)
class StoredPool:
    """One pool's document."""

    name: PoolName
    content: PoolEndpoints
    digest: str
    fence: Fence


class Pools:
    """All of them, in memory and in the database."""

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._tables = tables
        self._pools: dict[PoolName, StoredPool] = {}
        self._changing = asyncio.Lock()

    def __iter__(self) -> Iterator[StoredPool]:
        """In the order of their names."""
        return iter([self._pools[name] for name in sorted(self._pools)])

    async def load(self) -> None:
        """Read what an earlier process stored."""
        async with self._database.reading() as connection:
            for row in await connection.execute(select(schema.pool_endpoints)):
                fence = Fence(row.installation, row.transitions, row.boot)
                self._keep((row.namespace, row.pool), row.content, fence)

    def model(self, pool: PoolName, name: str) -> OwnModel | None:
        """A model of a pool, by its name in tables."""
        stored = self._pools.get(pool)
        models = stored.content.models if stored else ()
        return next((model for model in models if model.name == name), None)

    async def put(self, name: PoolName, content: bytes, fence: Fence) -> StoredPool:
        """Store a pool's document; raises `HubError`."""
        async with self._changing:
            self._tables.check_fence(fence)
            if len(content) > limits.POOL_BYTES_MAX:
                text = f"a pool's document holds at most {limits.POOL_BYTES_MAX} bytes"
                raise HubError(413, "too_large", text)
            if name not in self._pools and len(self._pools) >= limits.POOLS_MAX:
                raise HubError(409, "too_many_pools", f"the hub holds {limits.POOLS_MAX} pools")
            text = _checked(name, content)
            known = self._pools.get(name)
            if known and (known.digest, known.fence) == (_digest(text), fence):
                return known

            def work(connection: Connection) -> None:
                _delete(connection, name)
                row = {"namespace": name[0], "pool": name[1], "content": text}
                connection.execute(insert(schema.pool_endpoints), [row | asdict(fence)])

            await self._database.write(work)
            return self._keep(name, text, fence)

    async def remove(self, name: PoolName, fence: Fence) -> None:
        """A pool is gone, or has no model of its own any more; raises `HubError`."""
        async with self._changing:
            self._tables.check_fence(fence)
            if name not in self._pools:
                raise HubError(404, "not_found", f"no pool {'/'.join(name)}")
            await self._database.write(lambda connection: _delete(connection, name))
            del self._pools[name]

    def _keep(self, name: PoolName, text: str, fence: Fence) -> StoredPool:
        content = PoolEndpoints.model_validate_json(text)
        self._pools[name] = StoredPool(name, content, _digest(text), fence)
        return self._pools[name]


def _checked(name: PoolName, content: bytes) -> str:
    try:
        found = PoolEndpoints.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise HubError(400, "invalid_pool", f"{where}: {first['msg']}") from error
    if (found.pool.namespace, found.pool.name) != name:
        raise HubError(400, "invalid_pool", f"this is not the document of {'/'.join(name)}")
    return content.decode()


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _delete(connection: Connection, name: PoolName) -> None:
    table = schema.pool_endpoints
    named = (table.c.namespace == name[0], table.c.pool == name[1])
    connection.execute(delete(table).where(*named))
