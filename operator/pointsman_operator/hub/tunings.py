"""Lambdas by policy and rule: what the learner solved since the table was compiled, by epoch."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from pointsman_operator.hub import schema
from pointsman_operator.hub.tables import PolicyName
from pointsman_operator.ledger.database import Database


@dataclass(frozen=True, slots=True)
class Tuning:
    """Lambdas in micro-probability per dollar; a later epoch replaces an earlier one."""

    epoch: int
    lambdas: dict[str, int]

    @property
    def line(self) -> bytes:
        """The `tuning` event."""
        event = {"event": "tuning", "epoch": self.epoch, "lambda": self.lambdas}
        return json.dumps(event, separators=(",", ":")).encode() + b"\n"


class Tunings:
    """The latest tuning of each policy, in memory and in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tunings: dict[PolicyName, Tuning] = {}
        self._changing = asyncio.Lock()

    async def load(self) -> None:
        """Read what an earlier process stored."""
        async with self._database.reading() as connection:
            for row in await connection.execute(select(schema.tunings)):
                tuning = Tuning(row.epoch, json.loads(row.lambdas))
                self._tunings[(row.namespace, row.policy)] = tuning

    def of(self, policy: PolicyName) -> Tuning | None:
        """The policy's tuning, if it ever had one."""
        return self._tunings.get(policy)

    async def put(self, policy: PolicyName, lambdas: dict[str, int]) -> Tuning:
        """A new epoch, unless nothing has changed."""
        async with self._changing:
            return await self._put(policy, lambdas)

    async def _put(self, policy: PolicyName, lambdas: dict[str, int]) -> Tuning:
        known = self._tunings.get(policy)
        if known is not None and known.lambdas == lambdas:
            return known
        tuning = Tuning((known.epoch if known else 0) + 1, lambdas)

        def work(connection: Connection) -> None:
            where = (
                schema.tunings.c.namespace == policy[0],
                schema.tunings.c.policy == policy[1],
            )
            row = {"namespace": policy[0], "policy": policy[1], "epoch": tuning.epoch}
            row |= {"lambdas": json.dumps(lambdas)}
            connection.execute(delete(schema.tunings).where(*where))
            connection.execute(insert(schema.tunings), [row])

        await self._database.write(work)
        self._tunings[policy] = tuning
        return tuning
