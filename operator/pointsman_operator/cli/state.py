"""The state folder of `pointsman up`: where everything lies, and what other commands find there.

```
STATE/up.json        the addresses of what runs (while it runs)
STATE/installation   this folder's own id, for fences
STATE/token          the local credential, mode 0600
STATE/secrets/NAME/KEY   provider keys, read by the sidecar only; and what simulators are shown
STATE/hub.db*        the hub's database
STATE/sidecar/  STATE/providers/  STATE/logs/   what the other processes keep
```
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from pointsman_operator.compile.hosted import SIMULATED_KEY

PRIVATE = 0o700


def default_state() -> Path:
    """The user's own state folder, by the XDG rules."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "pointsman"


StateOption = Annotated[
    Path,
    typer.Option(
        "--state",
        default_factory=default_state,
        show_default="~/.local/state/pointsman",
        help="The folder that `pointsman up` keeps its state in.",
    ),
]


@dataclass(frozen=True)
class Running:
    """What `up` tells other commands."""

    pid: int
    base_url: str
    hub_url: str
    policy: str
    simulated: tuple[str, ...]


class StateBusyError(Exception):
    """Another `pointsman up` uses the folder."""


@dataclass(frozen=True)
class State:
    """One state folder."""

    path: Path

    def prepare(self) -> None:
        """Make the folders, the token and the installation's id where they are missing."""
        for name in ("", "secrets", "sidecar", "providers", "logs"):
            (self.path / name).mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        write_once(self.token_file, secrets.token_urlsafe(32))
        write_once(self.path / "installation", str(uuid.uuid4()))
        shown = self.secrets / SIMULATED_KEY.secret
        shown.mkdir(mode=PRIVATE, exist_ok=True)
        write_once(shown / SIMULATED_KEY.key, "simulated")

    def lock(self) -> BinaryIO:
        """Hold the folder for this process while the returned file is open."""
        file = (self.path / "lock").open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise StateBusyError(str(self.path)) from error
        return file

    @property
    def token_file(self) -> Path:
        """The local credential."""
        return self.path / "token"

    @property
    def secrets(self) -> Path:
        """Provider keys as files: `NAME/KEY`."""
        return self.path / "secrets"

    def folder(self, name: str) -> Path:
        """What one process keeps."""
        return self.path / name

    def next_start(self) -> int:
        """How many times something was started here, this time included: the fence's count."""
        file = self.path / "starts"
        count = int(file.read_text()) + 1 if file.exists() else 1
        file.write_text(str(count))
        return count

    def installation(self) -> str:
        """The id of this state folder."""
        return (self.path / "installation").read_text().strip()

    def announce(self, running: Running) -> None:
        """Tell other commands where everything is."""
        draft = self.path / "up.json.new"
        draft.write_text(json.dumps(asdict(running)))
        draft.replace(self.path / "up.json")

    def withdraw(self) -> None:
        """Nothing runs here any more."""
        (self.path / "up.json").unlink(missing_ok=True)

    def running(self) -> Running | None:
        """What runs here, if anything does."""
        try:
            document = json.loads((self.path / "up.json").read_text())
            return Running(**document | {"simulated": tuple(document["simulated"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None


def write_once(path: Path, content: str) -> None:
    """Create a file that only its owner reads; one that exists stays as it is."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
