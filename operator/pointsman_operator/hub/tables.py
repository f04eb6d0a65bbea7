"""Route tables by policy: checked, fenced, stored, and served again after a restart.

`routes` puts and deletes, `feed` sends what changed to the sidecars concerned, the ledger gets its
accounts from here. Fences keep an old controller from writing over a newer one's tables.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, NoReturn

from pydantic import ValidationError
from sqlalchemy import Connection, delete, insert, select

from pointsman_operator.hub import limits, schema
from pointsman_operator.hub.errors import HubError
from pointsman_operator.hub.guarded import NO_WAYS, Ways, ways_of
from pointsman_operator.hub.quota.declared import read_limits
from pointsman_operator.hub.quota.messages import Unit
from pointsman_operator.hub.removed import ended
from pointsman_operator.hub.targets import Served, Target, first_serving, of_gateway
from pointsman_operator.ledger.accounts import Account, read_accounts
from pointsman_operator.ledger.database import Database

PolicyName = tuple[str, str]
"""Namespace and name."""
FoundModel = tuple[str, tuple[str, str]]
"""A model as tables name it, and its pool's namespace and name."""


@dataclass(frozen=True, slots=True)
class Fence:
    """Which controller writes: its installation, how often leadership changed hands, its start."""

    installation: str
    transitions: int
    boot: str

    def is_older_than(self, other: Fence) -> bool:
        """Whether `other` is a later leader of the same installation."""
        return self.installation == other.installation and self.transitions < other.transitions


@dataclass(frozen=True, slots=True)
class RouteTable:
    """A stored table and the line that tells a stream of it, made once for all subscribers."""

    policy: PolicyName
    put: int
    digest: str
    fence: Fence
    packed: bytes
    target: Target | None = None

    @property
    def line(self) -> bytes:
        """The `table` event."""
        event = {
            "event": "table",
            "digest": self.digest,
            "fence": asdict(self.fence),
            "table": base64.b64encode(self.packed).decode(),
        }
        return json.dumps(event, separators=(",", ":")).encode() + b"\n"

    def content(self) -> Mapping[str, Any]:
        """The parsed table."""
        parsed: Mapping[str, Any] = json.loads(gzip.decompress(self.packed))
        return parsed


class TargetOf(NamedTuple):
    """A model that is called at one fixed address."""

    pool: tuple[str, str]
    """Namespace and name."""
    url: str


class Tables:
    """All tables in force, in memory and in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tables: dict[PolicyName, RouteTable] = {}
        self._of_namespace: dict[str, dict[PolicyName, RouteTable]] = {}
        """The same, so that ten thousand streams do not each look at all tables."""
        self._lines: dict[PolicyName, bytes] = {}
        self._accounts: dict[PolicyName, list[Account]] = {}
        self._found_models: dict[PolicyName, tuple[FoundModel, ...]] = {}
        self._targets: dict[PolicyName, dict[str, TargetOf]] = {}
        self._ways: dict[PolicyName, Ways] = {}
        self._limits: dict[PolicyName, dict[str, dict[Unit, int]]] = {}
        self._removed: dict[PolicyName, RouteTable] = {}
        self._changing = asyncio.Lock()
        self._fence: Fence | None = None

    def __iter__(self) -> Iterator[RouteTable]:
        """The tables, the one put last at the end."""
        return iter(sorted(self._tables.values(), key=lambda table: table.put))

    def __contains__(self, policy: PolicyName) -> bool:
        """Whether the policy has a table; a deleted one has not, though it may serve an end."""
        return policy in self._tables

    async def load(self) -> None:
        """Read what an earlier process stored."""
        async with self._database.reading() as connection:
            for row in await connection.execute(select(schema.route_tables)):
                fence = Fence(row.installation, row.transitions, row.boot)
                name = (row.namespace, row.policy)
                target = Target.model_validate_json(row.target) if row.target else None
                self._keep(RouteTable(name, row.put, row.digest, fence, row.packed, target))
            for row in await connection.execute(select(schema.removed_tables)):
                fence = Fence(row.installation, row.transitions, row.boot)
                target = Target.model_validate_json(row.target) if row.target else None
                self._keep_removed(_ended((row.namespace, row.policy), row.put, fence, target))
            stored = (await connection.execute(select(schema.fence))).first()
        if stored is not None:
            self._fence = Fence(stored.installation, stored.transitions, stored.boot)

    def accounts(self) -> dict[str, Account]:
        """Every account that some table declares; the table put last decides."""
        return {account.name: account for table in self for account in self._accounts[table.policy]}

    def accounts_of(self, namespace: str) -> frozenset[str]:
        """The accounts that a namespace's tables declare: all that its pods may book on."""
        return frozenset(
            account.name
            for policy in self._of_namespace.get(namespace, ())
            for account in self._accounts[policy]
        )

    def limits(self) -> dict[str, dict[Unit, int]]:
        """Every limit of a model that some table declares; the table put last decides."""
        return {name: each for table in self for name, each in self._limits[table.policy].items()}

    def limits_of(self, namespace: str) -> frozenset[str]:
        """The limits that a namespace's tables declare: all that its pods may have shares of."""
        there = self._of_namespace.get(namespace, ())
        return frozenset(name for policy in there for name in self._limits[policy])

    def policies(self) -> tuple[PolicyName, ...]:
        """All that have a table."""
        return tuple(self._tables)

    def found_models(self, policy: PolicyName) -> tuple[FoundModel, ...]:
        """A policy's models whose endpoints the hub finds."""
        return self._found_models.get(policy, ())

    def targets_of(self, policy: PolicyName) -> Mapping[str, TargetOf]:
        """A policy's models with one fixed address each, by the table's names."""
        return self._targets.get(policy, {})

    def serving(self, served: Served) -> RouteTable | None:
        """A sidecar's table: by its pod's labels; outside a cluster by its workload's name.

        Where there is none, the empty one of a deleted policy that would have served it.
        """
        there = self._of_namespace.get(served.namespace, {})
        gone = [table for name, table in self._removed.items() if name[0] == served.namespace]
        if served.gateway:
            found = of_gateway(there.values(), served.gateway)
            return found or of_gateway(gone, served.gateway)
        if served.labels is not None:
            found = first_serving(there.values(), served.labels)
            return found or first_serving(gone, served.labels)
        named = (served.namespace, served.workload)
        if named in there or len(there) == 1:
            return there.get(named) or next(iter(there.values()))
        if there:
            return self._removed.get(named)
        return max(gone, key=lambda table: table.put, default=None)

    def ways(self, table: RouteTable) -> Ways:
        """The gateways that the table uses."""
        return self._ways.get(table.policy, NO_WAYS)

    def line(self, table: RouteTable) -> bytes:
        """The table's event, one object however many streams send it."""
        return self._lines[table.policy]

    async def put(
        self, policy: PolicyName, content: bytes, fence: Fence, target: Target | None = None
    ) -> RouteTable:
        """Store canonical bytes as the policy's table; raises `HubError`."""
        async with self._changing:
            return await self._put(policy, content, fence, target)

    async def remove(self, policy: PolicyName, fence: Fence | None) -> None:
        """Forget the policy's table; money already counted stays. Raises `HubError`."""
        async with self._changing:
            await self._remove(policy, fence)

    async def _put(
        self, policy: PolicyName, content: bytes, fence: Fence, target: Target | None
    ) -> RouteTable:
        self.check_fence(fence)
        if policy not in self._tables and len(self._tables) >= limits.TABLES_MAX:
            raise HubError(409, "too_many_tables", f"the hub holds {limits.TABLES_MAX} tables")
        _check(policy, content)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        order = self._next_order()
        table = RouteTable(policy, order, digest, fence, gzip.compress(content, mtime=0), target)
        known = self._tables.get(policy)
        if known is not None and (known.digest, known.fence, known.target) == (
            digest,
            fence,
            target,
        ):
            return known

        def work(connection: Connection) -> None:
            _delete(connection, policy)
            _forget(connection, [policy])
            row = {"namespace": policy[0], "policy": policy[1], "put": order, "digest": digest}
            row |= asdict(fence) | {"packed": table.packed}
            row["target"] = target.model_dump_json() if target else None
            connection.execute(insert(schema.route_tables), [row])
            _set_fence(connection, fence)

        await self._database.write(work)
        self._fence = fence
        self._keep(table)
        return table

    async def _remove(self, policy: PolicyName, fence: Fence | None) -> None:
        if fence is not None:
            self.check_fence(fence)
        if policy not in self._tables:
            raise HubError(404, "not_found", f"no table of {'/'.join(policy)}")

        known = self._tables[policy]
        gone = _ended(policy, self._next_order(), fence or known.fence, known.target)
        oldest_first = sorted(self._removed, key=lambda name: self._removed[name].put)
        forgotten = oldest_first[: max(0, len(oldest_first) + 1 - limits.TABLES_MAX)]

        def work(connection: Connection) -> None:
            _delete(connection, policy)
            _forget(connection, [policy, *forgotten])
            target = gone.target.model_dump_json() if gone.target else None
            row = {"namespace": policy[0], "policy": policy[1], "put": gone.put, "target": target}
            connection.execute(insert(schema.removed_tables), [row | asdict(gone.fence)])
            if fence is not None:
                _set_fence(connection, fence)

        await self._database.write(work)
        self._fence = fence or self._fence
        self._tables.pop(policy, None)
        self._of_namespace.get(policy[0], {}).pop(policy, None)
        self._accounts.pop(policy, None)
        self._found_models.pop(policy, None)
        self._targets.pop(policy, None)
        self._ways.pop(policy, None)
        self._limits.pop(policy, None)
        for name in forgotten:
            del self._removed[name]
            self._lines.pop(name, None)
        self._keep_removed(gone)

    def _next_order(self) -> int:
        known = (*self._tables.values(), *self._removed.values())
        return max((table.put for table in known), default=0) + 1

    def _keep_removed(self, table: RouteTable) -> None:
        self._removed[table.policy] = table
        self._lines[table.policy] = table.line

    def _keep(self, table: RouteTable) -> None:
        self._removed.pop(table.policy, None)
        self._tables[table.policy] = table
        self._of_namespace.setdefault(table.policy[0], {})[table.policy] = table
        self._lines[table.policy] = table.line
        content = table.content()
        self._accounts[table.policy] = read_accounts(content)
        self._found_models[table.policy] = _found_models(content)
        self._targets[table.policy] = _targets(content)
        self._ways[table.policy] = ways_of(content)
        self._limits[table.policy] = read_limits(content)

    def check_fence(self, fence: Fence) -> None:
        """Whether this controller still leads; raises `HubError`."""
        if self._fence is not None and fence.is_older_than(self._fence):
            raise HubError(
                409,
                "fenced",
                f"a controller with {self._fence.transitions} transitions has written since, "
                f"this one has {fence.transitions}: it no longer leads",
            )


def parse_fence(header: str) -> Fence:
    """`installation,transitions,boot`; raises `HubError`."""
    parts = re.fullmatch(r"([^,]{1,128}),(\d{1,18}),([^,]{1,128})", header)
    if parts is None:
        raise HubError(400, "bad_fence", "x-pointsman-fence: installation,transitions,boot")
    return Fence(parts[1], int(parts[2]), parts[3])


def _check(policy: PolicyName, content: bytes) -> None:
    """Whether these are canonical bytes of this policy's table, with Budgets that can be kept."""
    if len(content) > limits.TABLE_BYTES_MAX:
        raise HubError(413, "too_large", f"a table holds at most {limits.TABLE_BYTES_MAX} bytes")
    try:
        parsed = json.loads(content, parse_float=_no_float)
    except (ValueError, RecursionError) as error:
        raise HubError(400, "invalid_table", f"not a table: {error}") from error
    canonical = json.dumps(parsed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if not isinstance(parsed, dict) or canonical.encode() != content:
        raise HubError(400, "not_canonical", "not the canonical bytes of a JSON object")
    if parsed.get("policy") != {"namespace": policy[0], "name": policy[1]}:
        raise HubError(400, "invalid_table", f"this is not the table of {'/'.join(policy)}")
    try:
        read_accounts(parsed)
        read_limits(parsed)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise HubError(400, "invalid_table", f"{where}: {first['msg']}") from error


def _found_models(content: Mapping[str, Any]) -> tuple[FoundModel, ...]:
    return tuple(
        (str(model["name"]), _pool_of(model))
        for model in content.get("models", ())
        if (model.get("provider") or {}).get("endpoints")
    )


def _targets(content: Mapping[str, Any]) -> dict[str, TargetOf]:
    return {
        str(model["name"]): TargetOf(_pool_of(model), str(provider["baseURL"]))
        for model in content.get("models", ())
        if "baseURL" in (provider := model.get("provider") or {}) and "endpoints" not in provider
    }


def _pool_of(model: Mapping[str, Any]) -> tuple[str, str]:
    return str(model["pool"]["namespace"]), str(model["pool"]["name"])


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{text} is not an integer")


def _delete(connection: Connection, policy: PolicyName) -> None:
    table = schema.route_tables
    connection.execute(
        delete(table).where(table.c.namespace == policy[0], table.c.policy == policy[1])
    )


def _ended(policy: PolicyName, put: int, fence: Fence, target: Target | None) -> RouteTable:
    content = ended(*policy)
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return RouteTable(policy, put, digest, fence, gzip.compress(content, mtime=0), target)


def _forget(connection: Connection, policies: Sequence[PolicyName]) -> None:
    table = schema.removed_tables
    for namespace, name in policies:
        named = (table.c.namespace == namespace, table.c.policy == name)
        connection.execute(delete(table).where(*named))


def _set_fence(connection: Connection, fence: Fence) -> None:
    connection.execute(delete(schema.fence))
    connection.execute(insert(schema.fence), [{"id": 1, **asdict(fence)}])
