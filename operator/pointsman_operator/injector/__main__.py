"""`python -m pointsman_operator.injector`: settings -> connection -> facts and webhooks.

Exit codes: 0 after SIGTERM or SIGINT, 64 for settings that cannot be, 69 where the API server is
not known or an address cannot be bound.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import uvloop
from pydantic import ValidationError

from pointsman_operator.injector.app import Ready, create_app, create_probes
from pointsman_operator.injector.metrics import InjectorMetrics
from pointsman_operator.injector.serving import Service
from pointsman_operator.injector.settings import InjectorSettings, read_settings
from pointsman_operator.kube.connection import Connection, NoConnectionError, connect
from pointsman_operator.kube.facts import Facts

EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69


def main() -> int:
    """Serve until told to stop; the exit code."""
    try:
        settings = read_settings(sys.argv[1:], os.environ)
    except ValidationError as error:
        for problem in error.errors(include_input=False):
            where = ".".join(map(str, problem["loc"])) or "settings"
            sys.stderr.write(f"{where}: {problem['msg']}\n")
        return EXIT_USAGE
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        connection = connect(settings.kubeconfig)
    except NoConnectionError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNAVAILABLE
    # Its TLS is C where asyncio's is Python.
    return 0 if uvloop.run(serve(settings, connection)) else EXIT_UNAVAILABLE


async def serve(settings: InjectorSettings, connection: Connection) -> bool:
    """Watch and answer; False where an address could not be bound."""
    facts = Facts(connection, settings.namespace, settings.hub_ca)
    metrics, ready = InjectorMetrics(), Ready()
    webhooks = create_app(facts, settings.for_pods(), metrics)
    service = Service(settings, webhooks, create_probes(facts, metrics, ready), ready)
    watching = asyncio.create_task(facts.run())
    first = asyncio.create_task(_first_lists(facts, ready))
    try:
        return await service.run()
    finally:
        for task in (watching, first):
            task.cancel()
        await asyncio.gather(watching, first, return_exceptions=True)


async def _first_lists(facts: Facts, ready: Ready) -> None:
    for watch in facts.watches:
        await watch.synced.wait()
    ready.synced()


if __name__ == "__main__":
    sys.exit(main())
