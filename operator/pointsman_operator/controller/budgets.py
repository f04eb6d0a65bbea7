"""What the hub's accounts hold; it is told which Budgets there are, so that it shows all of them.

A table tells the hub of the Budgets that it holds. One that no table holds (any more) exists all
the same, and what was spent from it in this window is still true.
"""

from __future__ import annotations

import json
import logging

from pointsman_operator.api.budget import Budget
from pointsman_operator.compile.lower import lower_budget
from pointsman_operator.compile.snapshot import bound_namespaces
from pointsman_operator.controller.observed import Account, read_account
from pointsman_operator.controller.world import World
from pointsman_operator.kube.hub import Hub, HubRefusedError
from pointsman_operator.kube.lease import Fence, Leadership

_log = logging.getLogger(__name__)


class Accounts:
    """Knows which Budgets the hub was told of, and reads what it shows."""

    def __init__(self, world: World, hub: Hub, leadership: Leadership, fence: Fence) -> None:
        self._world = world
        self._hub = hub
        self._leadership = leadership
        self._fence = fence
        self._told: tuple[Budget, ...] = ()

    async def read(self) -> dict[str, Account]:
        """Every account's current window, by `namespace/budget/limit`.

        Raises `HubUnreachableError`, `HubRefusedError`, `FencedError`; `KeyError`, `ValueError` or
        `TypeError` where the hub's answer is none.
        """
        found = await self._ask()
        if self._leadership.leading and self._must_tell(found):
            try:
                await self._tell()
            except HubRefusedError as error:
                # An older hub shows what tables hold, which is still worth reading.
                _log.debug("the hub was not told of the Budgets: %s", error)
                return found
            found = await self._ask()
        return found

    async def _ask(self) -> dict[str, Account]:
        rows = await self._hub.budgets()
        # The ledger's clock says which window runs, not ours.
        return {str(it["account"]): read_account(it) for it in rows if it["current"]}

    def _must_tell(self, found: dict[str, Account]) -> bool:
        """Whether there are other Budgets than were told, or the hub knows no more of them."""
        now = self._budgets()
        same = len(now) == len(self._told) and all(
            one is other for one, other in zip(now, self._told, strict=True)
        )
        wanted = (
            f"{budget.object_name}/{limit.name}" for budget in now for limit in budget.spec.limits
        )
        return not same or any(name not in found for name in wanted)

    async def _tell(self) -> None:
        budgets, snapshot = self._budgets(), self._world.snapshot
        documents = [
            lower_budget(budget, bound_namespaces(snapshot, budget)).model_dump(
                mode="json", by_alias=True, exclude_none=True
            )
            for budget in budgets
        ]
        content = json.dumps({"budgets": documents}, separators=(",", ":")).encode()
        await self._hub.put_budgets(content, self._fence)
        self._told = budgets

    def _budgets(self) -> tuple[Budget, ...]:
        return tuple(self._world.snapshot.budgets.values())
