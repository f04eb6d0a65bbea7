"""The hub's settings: command line over environment, one frozen model, every problem at once."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    DirectoryPath,
    FilePath,
    model_validator,
)

from pointsman_operator.ledger.database import Store
from pointsman_operator.ledger.postgresql import PostgresqlStore, url_in
from pointsman_operator.ledger.securing import tls_parameters
from pointsman_operator.ledger.sqlite import SqliteStore

PREFIX = "POINTSMAN_HUB_"
DATABASE = "hub.db"
FLAGS = {"address": "--listen"}
"""Options that are not called like their field."""
PORT_MAX = 65_535


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > PORT_MAX:
        raise ValueError("HOST:PORT, the port 0 for any free one")
    return text


class HubSettings(BaseModel):
    """Everything that a hub process is told; field names in capitals behind `POINTSMAN_HUB_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    state: DirectoryPath
    """Folder of the database, and of what else is kept."""
    postgresql_url_file: FilePath | None = None
    """File with the URL of a PostgreSQL database, read at each connection; default: SQLite."""
    postgresql_ca_file: FilePath | None = None
    """Authorities (PEM) by which that server is verified, whatever its URL leaves unsaid."""
    address: Annotated[str, AfterValidator(_address)] = "127.0.0.1:4620"
    """HOST:PORT to serve on; port 0 takes any free one."""
    token_file: Path | None = None
    """The callers' bearer token, made with mode 0600 where it is missing; default: STATE/token."""
    announce: Path | None = None
    """File that gets {"address", "pid"} as soon as the hub serves."""
    tls_cert: Path | None = None
    """Certificate chain (PEM); with it the hub speaks TLS only. Waited for, and taken again."""
    tls_key: Path | None = None
    """Private key (PEM) of the certificate."""
    cluster: bool = False
    """Callers bear tokens of the Kubernetes cluster around; the token file is not used."""
    controller: str = ""
    """NAMESPACE/NAME of the controller's ServiceAccount, in a cluster."""
    kubeconfig: FilePath | None = None
    """How to reach the API server; default: as the pod that this is."""
    restored: bool = False
    """The database is a backup: void all leases once and let sidecars report again."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe messages to log."""

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together")
        return self

    @model_validator(mode="after")
    def _cluster_is_whole(self) -> Self:
        if self.cluster and "/" not in self.controller:
            raise ValueError("controller: NAMESPACE/NAME of the controller's ServiceAccount")
        if not self.cluster and (self.controller or self.kubeconfig):
            raise ValueError("controller and kubeconfig are used with cluster only")
        return self

    @model_validator(mode="after")
    def _url_is_one(self) -> Self:
        if self.postgresql_url_file is not None:
            tls_parameters(url_in(self.postgresql_url_file), self.postgresql_ca_file)
        elif self.postgresql_ca_file is not None:
            raise ValueError("postgresql_ca_file is used with postgresql_url_file only")
        return self

    def store(self) -> Store:
        """Where the ledger is kept, opened for this process; raises `StoreRefused`."""
        file = self.postgresql_url_file
        if file is not None:
            return PostgresqlStore(lambda: url_in(file), self.postgresql_ca_file)
        return SqliteStore(self.state / DATABASE)

    @property
    def token_path(self) -> Path:
        """Where the token is."""
        return self.token_file or self.state / "token"

    @property
    def host(self) -> str:
        """The address to bind, without brackets."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to bind."""
        return int(self.address.rpartition(":")[2])


def read_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> HubSettings:
    """Settings of this process; raises `pydantic.ValidationError` with every problem."""
    parser = argparse.ArgumentParser(
        prog="python -m pointsman_operator.hub",
        description="Serves tables to sidecars and keeps the ledger, on a database in a folder.",
    )
    for name, field in HubSettings.model_fields.items():
        flag = FLAGS.get(name, "--" + name.replace("_", "-"))
        text = f"{field.description} [{PREFIX}{name.upper()}]"
        if field.annotation is bool:
            parser.add_argument(flag, dest=name, action="store_true", default=None, help=text)
        else:
            parser.add_argument(flag, dest=name, help=text)
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value}
    told = {
        name: environment[PREFIX + name.upper()]
        for name in HubSettings.model_fields
        if environment.get(PREFIX + name.upper())
    }
    return HubSettings.model_validate(told | given)
