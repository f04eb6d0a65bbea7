"""The border to Rust: documents cross it as bytes, never a request. Shapes: docs/contracts.md."""

from typing import Self, final

__all__ = ["BindFailed", "ConfigRejected", "Engine", "EngineError", "TableRejected"]

class EngineError(Exception):
    """What the engine raises; the three below say which of its doors refused."""

class ConfigRejected(EngineError):
    """The configuration document is not one that the engine can run with."""

class TableRejected(EngineError):
    """The table is not valid, or asks for a newer reader; the one in force stays.

    Its two arguments: a condition's reason (`Invalid`, `SidecarOutdated`, …) and a sentence.
    """

class BindFailed(EngineError):
    """An address of the configuration could not be bound."""

@final
class Engine:
    """The data plane. One a process; every method may be called from any thread."""

    def __new__(cls, config: bytes) -> Self:
        """Read the configuration (section 2) and bind its addresses."""

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT and the drain after it; the GIL is released throughout."""

    def load(self, table: bytes) -> str:
        """Put canonical table bytes (section 1) in force for requests from now on; their digest."""

    def tuning(self, document: bytes) -> None:
        """Take the lambdas of a `tuning` event (section 3), for this table and later ones."""

    def fleet(self, document: bytes) -> None:
        """Take the `models` of a `fleet` event (section 3); raises where it is no such document."""

    def hearsay(self, document: bytes) -> None:
        """Take the `down` of a `health` event (section 3); raises where it is no such document."""

    def certificate_request(self) -> str:
        """A gateway's request for a certificate (PEM); the private key stays inside."""

    def certificate(self, chain: bytes) -> None:
        """Take the certificate (PEM, leaf first) that answers the request, for new connections."""

    def admission(self, document: bytes) -> None:
        """Take how a gateway tells its callers apart (docs/contracts-kubernetes.md, section 6)."""

    def tickets(self, document: bytes) -> None:
        """Take all tickets for gateways of other namespaces, by audience (the same section)."""

    def state(self) -> bytes:
        """This start's random id, the table in force, targets, money, addresses (section 2)."""

    def explain(self, id: str) -> bytes | None:  # noqa: A002
        """The RECORD (section 4) of one request, while the ring still holds it."""

    def drain_records(self) -> bytes:
        """A JSON array of the RECORDs since the last call, oldest first, bounded."""

    def heartbeat(self, *, ask_ledger: bool = False) -> None:
        """Python is alive; probes and metrics show the age of the last call.

        `ask_ledger`: the ledger is asked now. The stream says that it waits for this sidecar,
        or broke, and the hub did not answer again.
        """
