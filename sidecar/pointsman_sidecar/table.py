"""Tables on their way into the engine: checked, fenced, loaded, and kept for the next start.

Used by the sources in `supervisor`; `report` reads what is in force from here.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import logging
import math
import threading
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pointsman_sidecar import limits
from pointsman_sidecar._engine import TableRejected
from pointsman_sidecar.whole import write_whole

LOGGER = logging.getLogger(__name__)


class Loader(Protocol):
    """The part of the engine that takes tables."""

    def load(self, table: bytes) -> str:
        """Put a table in force."""
        ...


class TableError(Exception):
    """An envelope that cannot be trusted or read; the reason is fit to be shown."""


@dataclass(frozen=True)
class Fence:
    """Which controller wrote a table: an older one of the same installation never wins."""

    installation: str
    transitions: int
    boot: str


@dataclass(frozen=True)
class Envelope:
    """A table and where it comes from; a table without a fence is a local file's."""

    digest: str
    table: bytes
    fence: Fence | None

    def packed(self, *, from_hub: bool = False) -> bytes:
        """The document that `unpack` reads; in the last good table it says where it came from."""
        document: dict[str, Any] = {
            "digest": self.digest,
            "table": base64.b64encode(gzip.compress(self.table, mtime=0)).decode(),
        }
        if from_hub:
            document["hub"] = True
        if self.fence is not None:
            document["fence"] = asdict(self.fence)
        return json.dumps(document).encode()


@dataclass(frozen=True)
class InForce:
    """What the hub is told: the table in force and the last one that was refused."""

    digest: str = ""
    fence: Fence | None = None
    rejected_digest: str = ""
    rejected_reason: str = ""


class Tables:
    """Brings envelopes into the engine; safe to call from several threads."""

    def __init__(self, engine: Loader, last_good: Path | None) -> None:
        self._engine = engine
        self._last_good = last_good
        self._lock = threading.Lock()
        self._in_force = InForce()
        self._from_hub = False
        self._heard_at = -math.inf
        self.trouble: dict[str, str] = {}
        """What keeps each source from giving tables; sources remove what has passed."""

    def hub_leads(self) -> bool:
        """Whether the table in force is the hub's, and the hub there or away for a moment only."""
        return self._from_hub and time.monotonic() - self._heard_at < limits.HUB_AWAY_S

    def heard_hub(self) -> None:
        """The hub's stream has said something; it does every ten seconds."""
        self._heard_at = time.monotonic()

    @property
    def digest_from_hub(self) -> str:
        """The digest in force if the hub sent it: what came otherwise it is to send again."""
        return self._in_force.digest if self._from_hub else ""

    def in_force(self) -> InForce:
        """A consistent view of what is in force now."""
        return self._in_force

    def restore(self) -> None:
        """Load an earlier start's last good table, so that requests need not wait for the hub."""
        if self._last_good is None or not self._last_good.exists():
            return
        try:
            document = json.loads(self._last_good.read_bytes())
            envelope = unpack(document)
        except (OSError, ValueError, TableError) as error:
            LOGGER.warning("the last good table cannot be read: %s", error)
            return
        self.offer(envelope, authenticated=True)
        # One that came from a file is asked of the hub again.
        self._from_hub = self._from_hub and bool(document.get("hub"))

    def offer(self, envelope: Envelope, *, authenticated: bool) -> bool:
        """Put it in force if its fence allows it and the engine takes it; whether it is in force.

        `authenticated` says that it came from the hub, which may start a new installation.
        """
        with self._lock:
            current = self._in_force
            if not authenticated and self.hub_leads():
                return envelope.digest == current.digest
            if envelope.digest == current.digest:
                fence = current.fence if envelope.fence is None else envelope.fence
                self._in_force = InForce(current.digest, fence)
                self._from_hub = self._from_hub or authenticated
                return True
            # A file's fence is whatever its writer said; it never keeps the hub out.
            known = current.fence if self._from_hub or not authenticated else None
            reason = refusal(envelope.fence, known, authenticated=authenticated)
            if not reason:
                try:
                    self._engine.load(envelope.table)
                except TableRejected as error:
                    reason = ": ".join(error.args)
            if reason:
                LOGGER.warning("table %s refused: %s", envelope.digest, reason)
                self._in_force = InForce(current.digest, current.fence, envelope.digest, reason)
                return False
            self._in_force = InForce(envelope.digest, envelope.fence)
            self._from_hub = authenticated
            LOGGER.info("table %s in force", envelope.digest)
            self._keep(envelope)
            return True

    def _keep(self, envelope: Envelope) -> None:
        """Write it where the next start finds it, whole or not at all."""
        if self._last_good is None:
            return
        try:
            write_whole(self._last_good, envelope.packed(from_hub=self._from_hub))
        except OSError as error:
            LOGGER.warning("the last good table cannot be kept: %s", error)


def refusal(new: Fence | None, current: Fence | None, *, authenticated: bool) -> str:
    """Why a table with this fence must not replace the one in force; empty if it may."""
    if current is None or (
        authenticated and (new is None or new.installation != current.installation)
    ):
        return ""
    if new is None:
        return "it names no controller, and the table in force does"
    if new.installation != current.installation:
        return "it comes from another installation, and not through the hub"
    if new.transitions < current.transitions:
        return f"it was written by an older controller ({new.transitions} < {current.transitions})"
    return ""


def unpack(document: Any) -> Envelope:
    """Read an envelope (docs/contracts.md, section 3); the digest must be that of the bytes."""
    try:
        packed = base64.b64decode(document["table"], validate=True)
        fence = document.get("fence")
        envelope = Envelope(
            digest=document["digest"],
            table=unzip(packed),
            fence=None
            if fence is None
            else Fence(str(fence["installation"]), int(fence["transitions"]), str(fence["boot"])),
        )
    except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise TableError(f"not an envelope: {error!r}") from error
    if digest_of(envelope.table) != envelope.digest:
        raise TableError(f"the bytes are not those of {envelope.digest}")
    return envelope


def read_file(path: Path) -> Envelope:
    """A table file: an envelope or the canonical bytes themselves, gzipped or not."""
    return envelope_of(read_document(path))


def read_document(path: Path) -> Any:
    """The JSON of a table file, gzipped or not."""
    if path.stat().st_size > limits.MAX_LINE_BYTES:
        raise TableError(f"larger than {limits.MAX_LINE_BYTES} bytes")
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = unzip(content)
    try:
        return json.loads(content)
    except ValueError as error:
        raise TableError(f"not JSON: {error}") from error


def envelope_of(document: Any) -> Envelope:
    """A file's document as an envelope; a bare table gets one."""
    if isinstance(document, dict) and "version" in document:
        canonical = json.dumps(
            document, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()
        return Envelope(digest_of(canonical), canonical, None)
    return unpack(document)


def digest_of(table: bytes) -> str:
    """How tables are named everywhere."""
    return "sha256:" + hashlib.sha256(table).hexdigest()


def unzip(packed: bytes) -> bytes:
    """Unpack gzip within its bound."""
    stream = zlib.decompressobj(wbits=31)
    try:
        content = stream.decompress(packed, limits.MAX_TABLE_BYTES)
    except zlib.error as error:
        raise TableError(f"not gzip: {error}") from error
    if not stream.eof:
        raise TableError(f"incomplete, or larger than {limits.MAX_TABLE_BYTES} bytes unpacked")
    return content
