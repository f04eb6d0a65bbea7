"""The bench's table: its resources, compiled as in production, with the origin laid over."""

from __future__ import annotations

from bench.bodies import RESOURCES
from bench.machine import BenchError
from pointsman_operator.api.load import load_texts
from pointsman_operator.compile import CompiledTable, Snapshot, compile_policy, label_of, simulate

CANDIDATES, RULES, SIGNALS, BUDGETS = 5, 11, 6, 1
"""What "everything on" means; the table is refused if it has less."""


def compile_table(origin: str, secure: str) -> CompiledTable:
    """The one policy's table; `origin` and `secure` are host:port."""
    texts = [
        (path.name, path.read_text().replace("SECURE", secure))
        for path in sorted(RESOURCES.glob("*.yaml"))
    ]
    loaded = load_texts(texts)
    snapshot = Snapshot.of(loaded.objects)
    labels = {
        label_of(model)
        for pool in snapshot.pools.values()
        if pool.metadata.name == "main"
        for model in pool.spec.models
    }
    base_urls = dict.fromkeys(labels, f"http://{origin}/v1")
    (policy,) = snapshot.policies
    found = compile_policy(simulate(snapshot, base_urls, labels), policy)
    problems = [*loaded.problems, *found.problems]
    table = found.table
    counts = (len(table.rules), len(table.signals), len(table.budgets))
    if problems or counts != (RULES, SIGNALS, BUDGETS):
        raise BenchError(f"the bench's table is not what it says: {counts}, {problems}")
    candidates = table.rules[-1].route.candidates
    headless = [model.name for model in table.models if model.head is None]
    if len(candidates) != CANDIDATES or headless:
        raise BenchError(f"{len(candidates)} candidates, without a head: {headless}")
    return found
