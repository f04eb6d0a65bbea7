"""The ledger's connection to PostgreSQL in TLS: verified or not made, and never in plain text."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman_operator.ledger.database import Database
from pointsman_operator.ledger.errors import StoreUnavailable
from pointsman_operator.ledger.postgresql import PostgresqlStore
from pointsman_operator.ledger.securing import CA, tls_parameters, warn_once
from support.ledger_world import HandClock
from support.postgresql_tls import HOST, TlsServer

PLAIN = "postgresql://u:hidden@h/d"


@pytest.fixture(autouse=True)
def _as_a_new_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing was warned of yet, and nobody's home holds an authority."""
    warn_once.cache_clear()
    monkeypatch.setenv("HOME", str(tmp_path))


async def opened(url: str, ca_file: Path | None = None) -> Database:
    """A hub's database."""
    return await Database.open(PostgresqlStore(lambda: url, ca_file), HandClock())


@pytest.mark.parametrize("mode", ["", "&sslmode=verify-full", "&sslmode=verify-ca"])
async def test_an_authority_verifies_the_server_whatever_the_url_leaves_unsaid(
    tls: TlsServer, tls_schema: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    """Writer and readers speak TLS, and there is nothing to warn of."""
    ca = tls.write_authority(tmp_path / "ca.crt")
    database = await opened(tls.url(tls_schema, more=mode), ca)
    async with database.reading():
        assert tls.encrypted()
    await database.close()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("authority", "host", "said"),
    [
        ("other", HOST, "not issued by an authority in postgresql_ca_file .*put the server's"),
        (
            "right",
            "db.example.com",
            "does not match host name.*a host into the URL that the server",
        ),
    ],
)
async def test_a_server_that_is_not_ours_is_never_spoken_to(
    tls: TlsServer, tls_schema: str, tmp_path: Path, authority: str, host: str, said: str
) -> None:
    """A wrong authority or name ends it with field and remedy, although plain text would do."""
    ca = tls.write_authority(tmp_path / "ca.crt", other=authority == "other")
    tls.let_in()
    with pytest.raises(StoreUnavailable, match=said):
        await opened(tls.url(tls_schema, host=host), ca)
    assert tls.let_in() == 0


async def test_a_server_without_tls_is_never_spoken_to_where_it_is_to_be_verified(
    tls: TlsServer, tls_schema: str, tmp_path: Path
) -> None:
    """Who takes the certificate away on the way gains nothing."""
    ca = tls.write_authority(tmp_path / "ca.crt")
    tls.serve(tls=False)
    try:
        tls.let_in()
        with pytest.raises(StoreUnavailable, match=r"turn it on in the server \(ssl = on\)"):
            await opened(tls.url(tls_schema), ca)
        assert tls.let_in() == 0
        await (await opened(tls.url(tls_schema))).close()
        assert tls.let_in() > 0
    finally:
        tls.serve()


async def test_verifying_without_an_authority_names_what_is_missing(
    tls: TlsServer, tls_schema: str, tmp_path: Path
) -> None:
    """Not given at all, or an empty file."""
    url = tls.url(tls_schema, more="&sslmode=verify-full")
    empty = tmp_path / "empty.crt"
    empty.touch()
    for ca in (None, empty):
        with pytest.raises(StoreUnavailable) as refused:
            await opened(url, ca)
        assert str(refused.value).endswith(f"name one in {CA}")
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("mode", "said"), [("disable", "is not encrypted"), ("require", "nobody looks whose it is")]
)
async def test_what_a_connection_lacks_is_warned_of_once(
    tls: TlsServer, tls_schema: str, caplog: pytest.LogCaptureFixture, mode: str, said: str
) -> None:
    """However many connections, with what would help."""
    for _ in range(2):
        database = await opened(tls.url(tls_schema, more=f"&sslmode={mode}"))
        await database.close()
    (record,) = caplog.records
    assert said in record.message
    assert record.message.endswith(
        f"say sslmode=verify-full in the URL and name the server's authority in {CA}"
    )


async def test_a_socket_of_this_machine_needs_no_tls(
    tls: TlsServer, tls_schema: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No warning, and an authority does no harm."""
    url = f"{tls.server.url(tls_schema)}&port={tls.server.port}"
    for ca in (None, tls.write_authority(tmp_path / "ca.crt")):
        database = await opened(url, ca)
        await database.close()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"{PLAIN}?sslmode=prefer", "sslmode=prefer, which does not verify the server"),
        (f"{PLAIN}?sslmode=require", "say sslmode=verify-full, or leave the authority out"),
        (f"{PLAIN}?sslrootcert=system", "both name an authority: leave one out"),
    ],
)
def test_a_url_that_contradicts_the_authority_is_refused(url: str, said: str) -> None:
    """Neither is ignored; the URL itself is not shown."""
    with pytest.raises(ValueError, match=said) as refused:
        tls_parameters(url, Path("ca.crt"))
    assert "hidden" not in str(refused.value)
