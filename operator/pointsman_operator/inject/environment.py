"""The app's environment: what sends its calls to the sidecar, never over a value of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pointsman_operator.inject import names
from pointsman_operator.inject.objects import is_apps, items
from pointsman_operator.inject.options import Options

BASE_URLS = {
    "OPENAI_BASE_URL": f"{names.DATA_URL}/v1",
    "OPENAI_API_BASE": f"{names.DATA_URL}/v1",
    "ANTHROPIC_BASE_URL": names.DATA_URL,
    "GOOGLE_GEMINI_BASE_URL": names.DATA_URL,
}
"""Where SDKs send calls, as each wants it: OpenAI's add no version to the path, the others do.
Another value goes around the sidecar."""
ADDITIONS = BASE_URLS | {
    "POINTSMAN_URL": names.DATA_URL,
    "OPENAI_API_KEY": "pointsman",
    "ANTHROPIC_API_KEY": "pointsman",
    "GEMINI_API_KEY": "pointsman",
}
"""With a placeholder where an SDK will not start without a key."""
OTHER_NAMES = {"ANTHROPIC_API_KEY": "ANTHROPIC_AUTH_TOKEN", "GEMINI_API_KEY": "GOOGLE_API_KEY"}
"""Where an app has the second, its SDK needs no placeholder in the first."""


@dataclass
class Environment:
    """What was found and added, by container."""

    conflicts: dict[str, list[str]] = field(default_factory=dict)
    """Base URLs that the app sets itself: its calls may go around the sidecar."""
    undetermined: list[str] = field(default_factory=list)
    """Containers whose `envFrom` may hold base URLs: nothing was added."""


def add_environment(spec: dict[str, Any], options: Options) -> Environment:
    """Add to every app container of `spec`, in place."""
    found = Environment()
    if options.environment == "false":
        return found
    for container in items(spec, "initContainers") + items(spec, "containers"):
        name = str(container.get("name"))
        chosen = options.containers is None or name in options.containers
        if chosen and is_apps(container):
            _add(container, name, found, force=options.environment == "force")
    return found


def remove_environment(spec: dict[str, Any]) -> None:
    """Take away what `add_environment` adds, in place."""
    for container in items(spec, "initContainers") + items(spec, "containers"):
        own = items(container, "env")
        kept = [it for it in own if it.get("value") != ADDITIONS.get(str(it.get("name")), "\0")]
        if len(kept) < len(own):
            container["env"] = kept
        if own and not kept:
            del container["env"]


def _add(container: dict[str, Any], name: str, found: Environment, *, force: bool) -> None:
    own = {str(it.get("name")): it for it in items(container, "env")}
    conflicts = [
        variable
        for variable, value in BASE_URLS.items()
        if variable in own and own[variable].get("value") != value
    ]
    if conflicts:
        found.conflicts[name] = conflicts
    absent = {
        variable: value
        for variable, value in ADDITIONS.items()
        if variable not in own and OTHER_NAMES.get(variable) not in own
    }
    if not absent:
        return
    if container.get("envFrom") and not force:
        found.undetermined.append(name)
        return
    added = [{"name": variable, "value": value} for variable, value in absent.items()]
    container["env"] = items(container, "env") + added
