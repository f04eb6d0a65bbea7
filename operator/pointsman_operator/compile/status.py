"""Problems to conditions: what each object's status says, as far as compiling can know it.

The controller adds what only running sidecars know (`Programmed`) and the times of transitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pointsman_operator.api import bounds
from pointsman_operator.api.budget import Budget
from pointsman_operator.api.kinds import AnyResource
from pointsman_operator.api.meta import Condition, ObjectRef
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.api.pool import ModelPool
from pointsman_operator.api.problems import Problem, ProblemCode

if TYPE_CHECKING:
    from pointsman_operator.compile import Compiled, CompiledTable
    from pointsman_operator.compile.resolve import ResolvedPool
    from pointsman_operator.compile.snapshot import Snapshot

_OF_CONFLICT = frozenset({ProblemCode.CONFLICTED})
_OF_ACCEPTANCE = frozenset(
    {
        ProblemCode.PASS_THROUGH_AMBIGUOUS,
        ProblemCode.NAMESPACE_NOT_ALLOWED,
        ProblemCode.LOOSER_THAN_POOL,
    }
)


def statuses(snapshot: Snapshot, compiled: Compiled) -> dict[ObjectRef, dict[str, Any]]:
    """The status of every object, ready to be applied."""
    found: dict[ObjectRef, dict[str, Any]] = {}
    for item in snapshot.objects():
        own = tuple(problem for problem in compiled.problems if problem.ref == item.ref)
        facts = _facts(item, compiled)
        conditions = conditions_of(item, own)
        found[item.ref] = {**facts, "conditions": conditions}
    return found


def pool_facts(resolved: ResolvedPool) -> dict[str, Any]:
    """What compiling knows of a pool beside its conditions."""
    return {"models": len(resolved.models), "refused": len(resolved.refused)}


def policy_facts(table: CompiledTable) -> dict[str, Any]:
    """What compiling knows of a policy beside its conditions."""
    routed = [rule for rule in table.table.rules if rule.route.candidates]
    return {"tableDigest": table.digest, "models": len(table.table.models), "rules": len(routed)}


def _facts(item: AnyResource, compiled: Compiled) -> dict[str, Any]:
    if isinstance(item, ModelPool):
        return pool_facts(compiled.pools[item.object_name])
    if isinstance(item, RoutingPolicy):
        return policy_facts(compiled.tables[item.object_name])
    return {}


def refused(because: tuple[Problem, ...], generation: int) -> list[dict[str, Any]]:
    """The conditions of an object that the models do not take."""
    return [
        _stamped(_condition(kind, "False", because), generation) for kind in ("Accepted", "Ready")
    ]


def conditions_of(item: AnyResource, own: tuple[Problem, ...]) -> list[dict[str, Any]]:
    """The conditions that an object's own problems make; `Ready` is the last."""
    conflict = tuple(problem for problem in own if problem.code in _OF_CONFLICT)
    acceptance = tuple(problem for problem in own if problem.code in _OF_ACCEPTANCE)
    references = tuple(problem for problem in own if problem not in (*conflict, *acceptance))
    made = [_holds("Accepted", acceptance)]
    if isinstance(item, ModelPool):
        made.append(_holds("ModelsResolved", references))
    elif isinstance(item, RoutingPolicy):
        made.append(_holds("ResolvedRefs", references))
        if conflict:
            made.append(_condition("Conflicted", "True", conflict))
    elif isinstance(item, Budget):
        made.append(_enforced(item))
    errors = tuple(problem for problem in own if problem.severity == "error")
    made.append(_holds("Ready", errors))
    return [_stamped(fields, item.metadata.generation) for fields in made]


def _stamped(fields: dict[str, Any], generation: int) -> dict[str, Any]:
    stamped = Condition.model_validate({**fields, "observedGeneration": generation})
    return stamped.model_dump(by_alias=True, exclude_none=True)


def _holds(kind: str, against: tuple[Problem, ...]) -> dict[str, Any]:
    """True, with warnings as the message; False with the first error as the reason."""
    failed = tuple(problem for problem in against if problem.severity == "error")
    if failed:
        return _condition(kind, "False", failed)
    if against:
        return _condition(kind, "True", against)
    return {"type": kind, "status": "True", "reason": kind, "message": ""}


def _condition(
    kind: str, status: Literal["True", "False"], because: tuple[Problem, ...]
) -> dict[str, Any]:
    text = "; ".join(f"{p.path}: {p.message}; {p.remedy}" for p in because)
    cut = text if len(text) <= bounds.MESSAGE_LENGTH else text[: bounds.MESSAGE_LENGTH - 1] + "…"
    return {"type": kind, "status": status, "reason": because[0].code.value, "message": cut}


def _enforced(budget: Budget) -> dict[str, Any]:
    """Under Audit thresholds and limits refuse nothing, and the condition says so (I10)."""
    if budget.spec.enforcement.mode == "Enforce":
        return {"type": "Enforced", "status": "True", "reason": "Enforced", "message": ""}
    return {
        "type": "Enforced",
        "status": "False",
        "reason": "Audit",
        "message": "spec.enforcement.mode is Audit: calls are counted, none is refused",
    }
