"""`pointsman keys` against a state folder: made once, listed without secrets, withdrawn at once."""

from __future__ import annotations

import datetime as dt
import json
import stat
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from pointsman_operator.cli import exits
from pointsman_operator.cli.application import APPLICATION
from pointsman_operator.cli.hub_client import HubError
from pointsman_operator.cli.keys import changing, lasting
from pointsman_operator.cli.keys.entry import Entry
from pointsman_operator.cli.keys.folder import FolderShelf
from pointsman_operator.cli.keys.form import Made, is_well_formed, make
from pointsman_operator.cli.keys.shelf import SECRET

RUN = CliRunner()
NOW = dt.datetime(2026, 11, 22, 10, 0, tzinfo=dt.UTC)


def run(state: Path, *words: str) -> Result:
    """One command on that state folder."""
    return RUN.invoke(APPLICATION, ["keys", *words, "--state", str(state)])


def entry(made: Made, name: str = "ci", expires: dt.datetime | None = None) -> Entry:
    """A plain entry, made at NOW."""
    return Entry(id=made.id, hash=made.hash, name=name, created=NOW, expires=expires)


def test_a_key_is_shown_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    """Standard output is the key alone; nothing that lies in the folder contains its secret."""
    made = run(tmp_path, "create", "ci", "--models", "gpt-*", "--models", "auto", "--team", "build")
    assert made.exit_code == exits.OK, made.output
    key = made.stdout.strip()
    assert is_well_formed(key)
    (file,) = [path for path in (tmp_path / "secrets" / SECRET).iterdir() if path.name[0] != "."]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = Entry.read(file.read_bytes())
    assert (kept.id, kept.models, kept.team) == (key.split("_")[1], ("gpt-*", "auto"), "build")
    for shown in (file.read_text(), run(tmp_path, "list").output, run(tmp_path, "list", "--json")):
        assert key.split("_")[2] not in str(shown)
    assert kept.hash not in run(tmp_path, "list", "--json").stdout


def test_a_name_is_one_keys_only(tmp_path: Path) -> None:
    """Spend and Budgets go by it; the message names the way to replace a key."""
    assert run(tmp_path, "create", "ci").exit_code == exits.OK
    again = run(tmp_path, "create", "ci")
    assert again.exit_code == exits.REFUSED
    assert "keys rotate" in again.stderr


def test_rotation_lets_the_old_key_go_on_for_a_while(tmp_path: Path) -> None:
    """The new one has name, limits and lifetime of the old, which ends at the overlap's end."""
    run(tmp_path, "create", "ci", "--expires", "90d", "--max-in-flight", "3")
    rotated = run(tmp_path, "rotate", "ci", "--overlap", "1h")
    assert rotated.exit_code == exits.OK, rotated.output
    old, new = json.loads(run(tmp_path, "list", "--json").stdout)["keys"]
    if rotated.stdout.split("_")[1] == old["id"]:
        old, new = new, old
    assert (new["name"], new["maxInFlight"]) == ("ci", 3)
    lasts = [dt.datetime.fromisoformat(it["expires"]) for it in (old, new)]
    made = dt.datetime.fromisoformat(new["created"])
    assert lasts == [made + dt.timedelta(hours=1), made + dt.timedelta(days=90)]


def test_revoked_and_disabled_keys_are_told_apart(tmp_path: Path) -> None:
    """By name or id; what is not there is 3, what is disabled comes back."""
    key_id = run(tmp_path, "create", "ci").stdout.split("_")[1]
    assert run(tmp_path, "disable", "ci").exit_code == exits.OK
    assert json.loads(run(tmp_path, "list", "--json").stdout)["keys"][0]["state"] == "disabled"
    assert run(tmp_path, "enable", key_id).exit_code == exits.OK
    assert json.loads(run(tmp_path, "list", "--json").stdout)["keys"][0]["state"] == "active"
    assert run(tmp_path, "revoke", key_id).exit_code == exits.OK
    gone = run(tmp_path, "revoke", key_id)
    assert gone.exit_code == exits.NOT_FOUND
    assert "keys list" in gone.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ("--expires", "soon"),
        ("--expires", "2020-01-01T00:00:00Z"),
        ("--requests-per-minute", "0"),
        ("--max-in-flight", "0"),
        ("--team", "two\nlines"),
        ("--models", "with space"),
    ],
    ids=lambda words: words[0],
)
def test_what_cannot_be_meant_is_refused_by_its_option(
    tmp_path: Path, wrong: tuple[str, str]
) -> None:
    """Status 2, and nothing is made."""
    made = run(tmp_path, "create", "ci", *wrong)
    assert made.exit_code == exits.USAGE
    assert wrong[0].lstrip("-") in made.stderr
    assert json.loads(run(tmp_path, "list", "--json").stdout)["keys"] == []


def test_an_entry_that_cannot_be_read_is_shown_and_can_be_revoked(tmp_path: Path) -> None:
    """No gateway takes its key; what it holds is not repeated."""
    FolderShelf(tmp_path / "secrets" / SECRET).change(lambda _: {"odd": b"pmk_canary"})
    shown = run(tmp_path, "list")
    assert "odd is not used" in shown.stdout
    assert "canary" not in shown.output
    assert run(tmp_path, "revoke", "odd").exit_code == exits.OK
    assert "No keys here" in run(tmp_path, "list").stdout


def test_of_many_writers_at_once_none_loses_a_key(tmp_path: Path) -> None:
    """Each decides on what is there when it writes."""
    shelf = FolderShelf(tmp_path / "keys")

    def write(number: int) -> None:
        made = entry(make(), f"key-{number}")
        shelf.change(lambda entries: changing.added(entries, made))

    writers = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {it.name for it in changing.readable(shelf.read())} == {f"key-{n}" for n in range(12)}


@given(
    st.lists(st.sampled_from(["create", "rotate", "revoke", "disable", "enable"]), max_size=12),
    st.sampled_from([None, 30, 400]),
)
def test_a_name_always_has_at_most_one_key_that_lasts(steps: list[str], days: int | None) -> None:
    """Whatever was done: all but the newest end by the overlap, and no entry becomes unreadable."""
    entries: dict[str, bytes] = {}
    until = NOW + dt.timedelta(days=1)
    for step in steps:
        made = make()
        expires = None if days is None else NOW + dt.timedelta(days=days)
        try:
            changes = decided(step, entries, entry(made, expires=expires), made, until)
        except HubError:
            continue
        entries = {n: d for n, d in {**entries, **changes}.items() if d is not None}
    known = changing.readable(entries)
    assert changing.faults(entries) == {}
    assert sum(it.expires is None or it.expires > until for it in known) <= 1


def decided(
    step: str, entries: Mapping[str, bytes], new: Entry, made: Made, until: dt.datetime
) -> Mapping[str, bytes | None]:
    """What one command does."""
    if step == "create":
        return changing.added(entries, new)
    if step == "rotate":
        successor = changing.successor(entries, "ci", made, NOW)
        return changing.rotated(entries, "ci", successor, until)
    if step == "revoke":
        return changing.revoked(entries, "ci")
    return changing.switched(entries, "ci", disabled=step == "disable")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", NOW + dt.timedelta(days=90)),
        ("30m", NOW + dt.timedelta(minutes=30)),
        ("2w", NOW + dt.timedelta(weeks=2)),
        ("2027-01-01T00:00:00+01:00", dt.datetime(2026, 12, 31, 23, tzinfo=dt.UTC)),
    ],
)
def test_times_are_spans_or_moments(text: str, expected: dt.datetime) -> None:
    """Ahead of now, in UTC."""
    assert lasting.moment(text, NOW) == expected
