"""The sidecar process: settings -> logging -> engine; the main thread then parks in the engine.

Exit statuses: 0 after a drain, 64 for settings that cannot be run with, 69 where an address is
taken, 70 where the engine failed.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointsman_sidecar import limits
from pointsman_sidecar._engine import BindFailed, ConfigRejected, Engine, EngineError
from pointsman_sidecar.files import FileSource
from pointsman_sidecar.fleet import Fleet
from pointsman_sidecar.health import Health
from pointsman_sidecar.hub import hub_of
from pointsman_sidecar.memory import memory_limit_bytes
from pointsman_sidecar.open_files import raise_open_files
from pointsman_sidecar.passes import Passes
from pointsman_sidecar.report import Reporter
from pointsman_sidecar.settings import GATEWAY, Settings, SettingsError, read_settings
from pointsman_sidecar.supervisor import Duty, HubSource, Supervisor
from pointsman_sidecar.table import Tables
from pointsman_sidecar.trust import HubTrust

LOGGER = logging.getLogger("pointsman_sidecar")
EX_OK, EX_USAGE, EX_UNAVAILABLE, EX_SOFTWARE = 0, 64, 69, 70


class JSONLines(logging.Formatter):
    """One JSON object a line, for whatever collects the container's output."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one record; an exception's traceback is one string."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def main() -> int:
    """Run until SIGTERM; the status says why it ended."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        for problem in error.problems:
            sys.stderr.write(f"pointsman-sidecar: {problem}\n")
        return EX_USAGE
    start_logging(settings.log_level)
    raise_open_files()
    try:
        return serve(settings, Engine(settings.engine_config(memory_limit_bytes())))
    except ConfigRejected as error:
        LOGGER.critical("the engine refused its configuration: %s", error)
        return EX_USAGE
    except BindFailed as error:
        LOGGER.critical("an address cannot be bound: %s", error)
        return EX_UNAVAILABLE
    except EngineError as error:
        LOGGER.critical("the engine failed: %s", error)
        return EX_SOFTWARE


def serve(settings: Settings, engine: Engine) -> int:
    """Start the duties, park in the engine until it has drained, and let the last report out."""
    boot = str(json.loads(engine.state())["boot"])
    folder = kept_in(settings.state_dir)
    tables = Tables(engine, None if folder is None else folder / "table.json")
    tables.restore()
    fleet = Fleet(engine, None if folder is None else folder / "fleet.json")
    fleet.restore()
    passes = Passes(engine, folder)
    passes.restore()
    if settings.mode == GATEWAY:
        tell_readiness(json.loads(engine.state())["gateway"])
    duties: dict[str, Duty] = {}
    if (trust := trust_of(settings)) is not None:
        # Before anybody connects: the engine reads the file, too.
        trust.refresh()
        duties["trust"] = trust.run
    hub = hub_of(settings, boot)
    certified = settings.mode == GATEWAY and not settings.gateway_plain
    facts = {"csr": engine.certificate_request()} if certified else {}
    reporter = Reporter(hub, engine, tables, facts)
    duties["report"] = reporter.run
    if hub is not None:
        duties["hub"] = HubSource(
            hub, engine, tables, fleet, reporter.ask, passes, Health(engine)
        ).run
    if settings.table_path is not None:
        duties["file"] = FileSource(settings.table_path, tables, settings.labels_file).run
    supervisor = Supervisor(duties)
    supervisor.start()
    # Ctrl-C is the engine's, too: Python's own handler would end the drain with a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    engine.run()
    # Nobody asks for metrics any more.
    lost = json.loads(engine.state())["spans_dropped"]
    if lost:
        LOGGER.warning("%d spans found no room or no collector", lost)
    supervisor.stop(limits.FINAL_REPORT_S)
    return EX_OK


def trust_of(settings: Settings) -> HubTrust | None:
    """The keeper of the hub's authority, where it was given as such."""
    if not settings.hub_ca or settings.trust_file is None:
        return None
    mounted = None if settings.table_path is None else settings.table_path / "ca.crt"
    return HubTrust(settings.hub_ca, mounted, settings.trust_file)


def kept_in(state_dir: Path | None) -> Path | None:
    """Where the next start finds what is good now; the folder is made if it can be."""
    if state_dir is not None:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state_dir


def tell_readiness(gateway: Mapping[str, Any]) -> None:
    """What a gateway can do with what it finds at its start: a probe's answer is in no log."""
    if gateway["certificateKept"] != "ok":
        why = gateway["certificateKept"]
        LOGGER.warning("the next start will wait for the hub: its certificate is not kept: %s", why)
    if gateway["lacks"]:
        lacks = " and ".join(gateway["lacks"])
        LOGGER.warning("no call is taken before the hub has brought %s", lacks)
    else:
        LOGGER.info("calls are taken at once, with what this container's former start kept")


def start_logging(level: str) -> None:
    """JSON lines on standard error, uncaught exceptions of threads among them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONLines())
    logging.basicConfig(level=level, handlers=[handler])
    threading.excepthook = log_thread


def log_thread(hook: threading.ExceptHookArgs) -> None:
    """What a thread died of; its keeper starts another."""
    name = hook.thread.name if hook.thread is not None else "a thread"
    trace = None if hook.exc_value is None else (hook.exc_type, hook.exc_value, hook.exc_traceback)
    LOGGER.error("%s died", name, exc_info=trace)


if __name__ == "__main__":
    sys.exit(main())
