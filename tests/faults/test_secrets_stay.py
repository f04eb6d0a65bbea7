"""I7: keys appear nowhere but on the wire to their provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.line import Line, line
from support.tables import model, table

KEY, CALLERS, OLD = "sk-canary-provider", "sk-canary-caller", "sk-canary-rotated"


def build(made: Line) -> dict[str, Any]:
    """One model that wants a key."""
    credential = {"secret": "openai", "key": "api-key"}
    return table([model("a", made.url("a"), provider={"credential": credential})])


def traces(made: Line) -> dict[str, bytes]:
    """Everything that the sidecar leaves or shows."""
    found = {
        str(path.relative_to(made.folder)): path.read_bytes()
        for path in [*(made.folder / "state").rglob("*"), made.sidecar.log, made.sidecar.table_path]
        if path.is_file()
    }
    for page in ("/metrics", "/debug/state", "/livez"):
        found[page] = made.http.get(made.sidecar.admin_url + page).content
    environment = Path(f"/proc/{made.sidecar.pid}/cmdline")
    return found | {"cmdline": environment.read_bytes()}


def test_i7_no_key_appears_in_anything_that_we_write_or_show(tmp_path: Path) -> None:
    """Logs, metrics, debug pages, records, table, journal and our answers, in good and bad days."""
    secret = tmp_path / "secrets" / "openai"
    secret.mkdir(parents=True)
    (secret / "api-key").write_text(KEY)
    (secret / "allowed-hosts").write_text("127.0.0.1")
    with line(tmp_path, "a", build=build, POINTSMAN_LOG_LEVEL="DEBUG") as made:
        said: dict[str, bytes] = {}
        wrong = {
            "error": {"message": f"Incorrect API key provided: {KEY}.", "code": "invalid_api_key"}
        }
        actions: list[dict[str, Any]] = [
            {},
            {"status": 500, "body": {"error": {"message": f"boom {KEY}"}}},
            {"cutAtByte": 200},
            {"refuse": True},
            {"status": 401, "body": wrong},
        ]
        for number, action in enumerate(actions):
            made.script("a", action, model="a-2026")
            for streamed in (False, True):
                answer = made.chat(
                    stream=streamed,
                    headers={"authorization": f"Bearer {CALLERS}", "x-api-key": CALLERS},
                )
                said[f"answer {number} {streamed}"] = answer.content + str(answer.headers).encode()
                own = answer.headers["x-pointsman-request-id"]
                url = f"{made.sidecar.admin_url}/debug/decisions/{own}"
                said[f"record {number} {streamed}"] = made.http.get(url).content
        (secret / "api-key").write_text("bad\nkey " + OLD)
        made.script("a")
        said["malformed key"] = made.chat().content
        sent = [call.headers["authorization"] for call in made.captured("a")]
        assert set(sent) == {f"Bearer {KEY}"}, "the canary did travel to its provider"
        said |= traces(made)
        for canary in (KEY, CALLERS, OLD):
            assert [name for name, text in said.items() if canary.encode() in text] == []
