"""`python -m pointsman_operator.hub --state DIR --listen ADDRESS`: one hub process.

Exit codes: 0 after SIGTERM or SIGINT, 64 for settings that cannot be, 69 when the state cannot be
opened, the address not be bound, or another hub has begun to write to the ledger.
"""

from __future__ import annotations

import logging
import os
import signal
import sys

from pydantic import ValidationError

from pointsman_operator.hub.app import Callers, create_app, local_callers
from pointsman_operator.hub.cluster import cluster_callers
from pointsman_operator.hub.gate import token_of
from pointsman_operator.hub.serving import HubServer
from pointsman_operator.hub.settings import HubSettings, read_settings
from pointsman_operator.kube.connection import NoConnectionError, connect
from pointsman_operator.ledger.clock import SystemClock
from pointsman_operator.ledger.windows import use_pinned_zones

EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69


def main() -> int:
    """Serve until told to stop; the exit code."""
    try:
        settings = read_settings(sys.argv[1:], os.environ)
        callers = callers_of(settings)
    except ValidationError as error:
        for problem in error.errors(include_input=False):
            where = ".".join(map(str, problem["loc"])) or "settings"
            sys.stderr.write(f"{where}: {problem['msg']}\n")
        return EXIT_USAGE
    except (OSError, ValueError) as error:
        sys.stderr.write(f"token: {error}\n")
        return EXIT_USAGE
    except NoConnectionError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNAVAILABLE
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    use_pinned_zones()
    app = create_app(settings.store, callers, SystemClock(), restored=settings.restored)
    server = HubServer(app, settings)
    server.prepare_tls()
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn ends in order on these and then raises them again, for whoever listened before.
        signal.signal(number, signal.SIG_IGN)
    try:
        server.run()
    except SystemExit:
        # uvicorn's way to say that it could not bind; it has logged why.
        return EXIT_UNAVAILABLE
    return 0 if server.started and app.state.failure is None else EXIT_UNAVAILABLE


def callers_of(settings: HubSettings) -> Callers:
    """Who may call: the cluster's tokens, or the one in the token file."""
    if settings.cluster:
        connection = connect(settings.kubeconfig)
        return cluster_callers(connection, settings.controller, settings.state)
    return local_callers(token_of(settings.token_path))


if __name__ == "__main__":
    sys.exit(main())
