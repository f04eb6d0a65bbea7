"""The Budgets that there are, by the controller: their money is shown though no table holds them.

A Budget whose last policy was deleted goes on existing, and so does what was spent from it. Nothing
is granted from what is told here: that takes a table.
"""

from __future__ import annotations

import json

from pydantic import ValidationError

from pointsman_operator.hub.errors import HubError
from pointsman_operator.ledger.accounts import Account, read_accounts


def read_existing(content: bytes) -> dict[str, Account]:
    """`{"budgets": [...]}`, each as a table holds it, by account; raises `HubError`."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise HubError(400, "invalid_budgets", f"not JSON: {error}") from error
    try:
        found = read_accounts(parsed)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "budgets"
        raise HubError(400, "invalid_budgets", f"{where}: {first['msg']}") from error
    return {account.name: account for account in found}
