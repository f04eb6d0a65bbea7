"""Decisions: what the engines report, kept in a ring in the store, and asked for where it is not.

`routes` hands reports in and asks for one by its id; the sidecars' own rings are the second place.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from pointsman_operator.hub import limits
from pointsman_operator.hub.errors import HubError
from pointsman_operator.hub.feed import Feed
from pointsman_operator.hub.schema import records
from pointsman_operator.ledger.batching import GroupCommit
from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.store import chunks

Record = dict[str, Any]


class Decisions:
    """The ring, and the questions that wait for an answer."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._database = database
        self._feed = feed
        self._questions: defaultdict[str, set[asyncio.Future[Record]]] = defaultdict(set)
        self._reports = GroupCommit(
            self._commit,
            batch_max=limits.REPORTS_PER_COMMIT_MAX,
            waiting_max=limits.REPORTS_WAITING_MAX,
        )

    async def close(self) -> None:
        """Finish what was accepted."""
        await self._reports.close()

    async def keep(self, reported: Sequence[Record]) -> None:
        """Store records of one report; one that is known already changes nothing."""
        for record in reported:
            for question in self._questions.get(record["id"], ()):
                if not question.done():
                    question.set_result(record)
        if reported:
            await self._reports.submit(reported)

    async def find(self, decision: str, namespace: str = "") -> Record:
        """The record of that id, from the store or a sidecar's ring; raises `HubError`.

        With a namespace: what its gateway recorded, if one took part.
        """
        names = [gateway_record(decision, namespace), decision] if namespace else [decision]
        async with self._database.reading() as connection:
            query = select(records.c.id, records.c.body).where(records.c.id.in_(names))
            stored = {row.id: row.body for row in await connection.execute(query)}
        for name in names:
            if name in stored:
                found: Record = json.loads(stored[name])
                return found | {"id": decision}
        return await self._ask(decision)

    async def _ask(self, decision: str) -> Record:
        if len(self._questions) >= limits.QUESTIONS_MAX and decision not in self._questions:
            raise HubError(503, "busy", "too many questions at once")
        answer: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        self._questions[decision].add(answer)
        try:
            if self._feed.ask(decision):
                async with asyncio.timeout(limits.ANSWER_WITHIN_S):
                    return await answer
        except TimeoutError:
            pass
        finally:
            self._questions[decision].discard(answer)
            if not self._questions[decision]:
                del self._questions[decision]
        raise unknown_decision(decision)

    async def _commit(self, batch: Sequence[Sequence[Record]]) -> Sequence[None]:
        given = {record["id"]: record for reported in batch for record in reported}

        def work(connection: Connection) -> None:
            known: set[str] = set()
            for some in chunks(given):
                query = select(records.c.id).where(records.c.id.in_(some))
                known.update(connection.execute(query).scalars())
            rows = [
                {"id": name, "time_ms": record["time_ms"], "body": json.dumps(record)}
                for name, record in given.items()
                if name not in known
            ]
            if rows:
                connection.execute(insert(records), rows)
                newest = select(func.max(records.c.seq)).scalar_subquery()
                too_old = records.c.seq <= newest - limits.RECORDS_MAX
                connection.execute(delete(records).where(too_old))

        await self._database.write(work)
        return [None] * len(batch)


def gateway_record(decision: str, namespace: str) -> str:
    """Under which id a gateway's record of a call is kept, beside its caller's."""
    return f"{decision}:{namespace}"


def unknown_decision(decision: str) -> HubError:
    """The answer where nobody has it, or nobody whom the caller may ask."""
    return HubError(404, "not_found", f"neither the hub nor a connected sidecar has {decision}")
