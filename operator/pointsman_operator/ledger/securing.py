"""How the connection to PostgreSQL is secured: what libpq is told, and what people are.

An authority that is given means that the server is verified. libpq alone would take it as a hint:
without `sslmode` in the URL it goes on in plain text where verification fails. `postgresql` calls
this at each connection, the hub's settings at the start.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

LOGGER = logging.getLogger(__name__)
VERIFYING = ("verify-ca", "verify-full")
CA = "postgresql_ca_file (the chart's hub.storage.postgresql.ca)"
REMEDIES = (
    (
        "certificate verify failed",
        f"the server's certificate was not issued by an authority in {CA}: put the server's there",
    ),
    (
        "does not match host name",
        "put a host into the URL that the server's certificate names (verify-ca looks at no name)",
    ),
    (
        "root certificate file",
        f"sslmode verifies the server, and there is no authority to do it by: name one in {CA}",
    ),
    (
        "server does not support SSL",
        "the URL's sslmode asks for TLS: turn it on in the server (ssl = on)",
    ),
    (
        "no encryption",
        "the server wants TLS or another line in pg_hba.conf: say sslmode=verify-full in the URL",
    ),
)
"""What libpq says, and what to do about it."""
PLAIN = (
    "the connection to PostgreSQL is not encrypted: who listens reads the ledger and may change it;"
    f" say sslmode=verify-full in the URL and name the server's authority in {CA}"
)
UNVERIFIED = (
    "the connection to PostgreSQL is encrypted, but nobody looks whose it is: another server may"
    f" pose as yours; say sslmode=verify-full in the URL and name the server's authority in {CA}"
)


def tls_parameters(url: str, ca_file: Path | None) -> dict[str, str]:
    """What libpq is told beside the URL; raises `ValueError` where the two contradict."""
    if ca_file is None:
        return {}
    said = conninfo_to_dict(url)
    if "sslrootcert" in said:
        raise ValueError(f"the URL's sslrootcert and {CA} both name an authority: leave one out")
    mode = said.get("sslmode", "verify-full")
    if mode not in VERIFYING:
        raise ValueError(
            f"the URL says sslmode={mode}, which does not verify the server, and {CA} names its"
            " authority: say sslmode=verify-full, or leave the authority out"
        )
    # GSS encryption would come first, and has no certificate to look at.
    return {"sslmode": str(mode), "sslrootcert": str(ca_file), "gssencmode": "disable"}


def explained(error: psycopg.OperationalError) -> psycopg.OperationalError:
    """The same failure to connect, on one line, with its remedy where one is known."""
    told = str(error)
    reason = told.partition("\n")[0]
    remedy = next((remedy for words, remedy in REMEDIES if words in told), "")
    return psycopg.OperationalError(f"{reason}; {remedy}" if remedy else reason)


def doubts(connection: psycopg.Connection[Any]) -> str:
    """What could happen to a connection over a network; empty where the server was verified."""
    if not connection.info.hostaddr:
        # A socket of this machine.
        return ""
    if not connection.pgconn.ssl_in_use:
        return PLAIN
    mode = connection.info.get_parameters().get("sslmode")
    return "" if mode in VERIFYING else UNVERIFIED


@cache
def warn_once(sentence: str) -> None:
    """Say it in the log, whatever the number of connections."""
    LOGGER.warning("%s", sentence)
