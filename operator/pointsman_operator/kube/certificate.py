"""A certificate in files that somebody else writes: a mounted Secret, empty first, renewed later.

Hub and injector serve with it; no restart, no dropped connection when it changes.
"""

from __future__ import annotations

import logging
import ssl
from contextlib import suppress
from pathlib import Path

_log = logging.getLogger(__name__)
State = tuple[tuple[int, int, int], ...]


class Certificate:
    """A pair of files, loaded into one context: handshakes to come use what is there now."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._loaded: State = ()

    def changed(self) -> bool:
        """Whether the files are others than those loaded last, and there."""
        state = self._state()
        return bool(state) and state != self._loaded

    def load_into(self, context: ssl.SSLContext) -> bool:
        """Load the pair if it is one: a half-written pair must not replace a good one."""
        state = self._state()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            _log.warning("the certificate cannot be used: %s", error)
            return False
        self._loaded = state
        return True

    def _state(self) -> State:
        """Empty while one of the files is missing or empty, as in a Secret just made."""
        with suppress(OSError):
            found = [path.stat() for path in self._files]
            if all(it.st_size for it in found):
                return tuple((it.st_ino, it.st_mtime_ns, it.st_size) for it in found)
        return ()
