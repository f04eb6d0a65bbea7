"""`python -m pointsman_operator.controller --namespace NAMESPACE`: one controller process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from pydantic import ValidationError

from pointsman_operator.controller.logs import log_as_json
from pointsman_operator.controller.process import Controller
from pointsman_operator.controller.settings import ControllerSettings, read_settings
from pointsman_operator.kube.connection import Connection, NoConnectionError, connect
from pointsman_operator.kube.hub import FencedError
from pointsman_operator.kube.lease import LeadershipLostError

EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_DEFECT = 70
EXIT_REPLACED = 75

_log = logging.getLogger(__name__)


def main() -> int:
    """Run until told to end or replaced; the exit code."""
    try:
        settings = read_settings(sys.argv[1:], os.environ)
        connection = connect(settings.kubeconfig, settings.context)
    except ValidationError as error:
        for problem in error.errors(include_input=False):
            where = ".".join(map(str, problem["loc"])) or "settings"
            sys.stderr.write(f"{where}: {problem['msg']}\n")
        return EXIT_USAGE
    except NoConnectionError as error:
        sys.stderr.write(f"{error}; name one by --kubeconfig\n")
        return EXIT_UNAVAILABLE
    log_as_json(settings.log_level)
    return asyncio.run(_run(settings, connection))


async def _run(settings: ControllerSettings, connection: Connection) -> int:
    work = asyncio.create_task(Controller(settings, connection).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    await asyncio.wait({work})
    if work.cancelled():
        return 0
    error = work.exception()
    if error is None:
        return 0
    if isinstance(error, BaseExceptionGroup):
        replaced, rest = error.split((LeadershipLostError, FencedError))
        if rest is None and replaced is not None:
            _log.warning("replaced: %s", replaced.exceptions[0])
            return EXIT_REPLACED
    _log.error("a defect ended the controller", exc_info=error)
    return EXIT_DEFECT


if __name__ == "__main__":
    sys.exit(main())
