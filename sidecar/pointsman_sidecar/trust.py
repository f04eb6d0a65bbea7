"""The hub's authority, in one file that both Python and the engine read at each connect.

It begins as the bundle that the pod was made with and follows the namespace's ConfigMap, once the
kubelet has mounted it: a new authority reaches running pods before the old one ends.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from pathlib import Path

from pointsman_sidecar import limits

LOGGER = logging.getLogger(__name__)


class HubTrust:
    """Keeps `file` as the mounted bundle says, else as the environment said."""

    def __init__(self, given: str, mounted: Path | None, file: Path) -> None:
        self._given = given
        self._mounted = mounted
        self._file = file
        self._refused = ""

    def run(self, stop: threading.Event) -> None:
        """Follow the mount until told to stop."""
        while not stop.wait(limits.WATCH_EVERY_S):
            self.refresh()

    def refresh(self) -> None:
        """Write the bundle that counts now, where it is not what the file holds."""
        bundle = self._wanted()
        try:
            if self._file.exists() and self._file.read_text() == bundle:
                return
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = self._file.with_suffix(".new")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(bundle)
            draft.replace(self._file)
        except OSError as error:
            LOGGER.warning("the hub's authority cannot be kept: %s", error)
            return
        LOGGER.info("the hub's authority is another one now")

    def _wanted(self) -> str:
        """The mount's, if there is one that can be used."""
        try:
            if self._mounted is None or not self._mounted.exists():
                return self._given
            with self._mounted.open() as file:
                # What is cut here is no bundle.
                bundle = file.read(limits.MAX_BUNDLE_BYTES)
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=bundle)
        except (OSError, ValueError) as error:
            if repr(error) != self._refused:
                LOGGER.warning("the mounted authority cannot be used: %s", repr(error))
            self._refused = repr(error)
            return self._given
        return bundle
