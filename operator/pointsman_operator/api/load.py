"""Resources from YAML files: every problem of a folder at once, with its place and a remedy.

Called by the command line and by tests; what it returns goes to `compile.Snapshot`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from pointsman_operator.api import bounds
from pointsman_operator.api.kinds import AnyResource
from pointsman_operator.api.meta import ObjectRef
from pointsman_operator.api.parse import parse_document
from pointsman_operator.api.problems import Location, Problem, ProblemCode
from pointsman_operator.api.yaml_nodes import DocumentLoader, Places, expanded_size, repeated_keys

SUFFIXES = (".yaml", ".yml", ".json")
_NOWHERE = ObjectRef("", "", "")


@dataclass(frozen=True)
class Loaded:
    """What a folder holds."""

    objects: tuple[AnyResource, ...]
    """The good objects, in the order of their references."""
    problems: tuple[Problem, ...]
    """Everything that is wrong, by file and line."""
    places: dict[ObjectRef, Places]
    """Where each good object's fields are."""
    ignored: int
    """Documents of other API groups, such as Deployments."""

    def place(self, problem: Problem) -> Problem:
        """A problem of `compile` with file and line, where its object came from a file."""
        places = self.places.get(problem.ref)
        return problem.at(places.of(problem.path)) if places else problem

    def place_all(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """The problems of reading and those of `compile`, placed and in one order."""
        placed = [*self.problems, *(self.place(problem) for problem in problems)]
        return tuple(sorted(placed, key=lambda problem: problem.sort_key))


def load_folder(path: Path) -> Loaded:
    """All resources under a folder (or in one file). Problems are returned, never raised."""
    found = _Collection()
    files = resource_files(path)
    if not files:
        found.problem(
            str(path), 1, "no .yaml, .yml or .json file here", "name a folder with resources"
        )
    for file in files[: bounds.FILES]:
        name = str(file)
        try:
            size = file.stat().st_size
            text = file.read_text("utf-8") if size <= bounds.FILE_BYTES else None
        except (OSError, UnicodeDecodeError) as error:
            found.problem(name, 1, f"cannot be read: {error}", "make it a readable UTF-8 file")
            continue
        if text is None:
            found.problem(name, 1, f"is larger than {bounds.FILE_BYTES} bytes", "split the file")
        else:
            found.add(name, text)
    if len(files) > bounds.FILES:
        found.problem(
            str(path),
            1,
            f"more than {bounds.FILES} files",
            "name a folder that holds resources only",
        )
    return found.loaded()


def load_texts(texts: Sequence[tuple[str, str]]) -> Loaded:
    """The resources of named texts, as if each were a file."""
    found = _Collection()
    for name, text in texts:
        found.add(name, text)
    return found.loaded()


def resource_files(path: Path) -> list[Path]:
    """The files that `load_folder` reads, sorted; hidden files and folders are left out."""
    if path.is_file():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.suffix in SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )


class _Collection:
    """Objects and problems of several texts."""

    def __init__(self) -> None:
        self._objects: dict[ObjectRef, AnyResource] = {}
        self._places: dict[ObjectRef, Places] = {}
        self._problems: list[Problem] = []
        self._ignored = 0

    def problem(self, file: str, line: int, message: str, remedy: str) -> None:
        """Note that a file cannot be used."""
        self._problems.append(
            Problem(
                ProblemCode.UNREADABLE,
                _NOWHERE,
                "",
                message,
                remedy,
                location=Location(file, line),
            )
        )

    def add(self, name: str, text: str) -> None:
        """Read all documents of one text."""
        try:
            for node in _documents(text):
                self._add_document(name, node)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            self.problem(
                name, line, f"is no YAML: {error.problem}", "correct the syntax at this line"
            )
        except (yaml.YAMLError, RecursionError) as error:
            self.problem(name, 1, f"is no YAML: {error}", "correct the syntax")

    def loaded(self) -> Loaded:
        """Everything, in one order."""
        refs = sorted(self._objects)
        return Loaded(
            tuple(self._objects[ref] for ref in refs),
            tuple(sorted(self._problems, key=lambda problem: problem.sort_key)),
            self._places,
            self._ignored,
        )

    def _add_document(self, name: str, node: yaml.Node) -> None:
        if expanded_size(node) > bounds.DOCUMENT_VALUES:
            line = node.start_mark.line + 1
            limit = bounds.DOCUMENT_VALUES
            self.problem(name, line, f"has more than {limit} values", "use fewer YAML aliases")
            return
        places = Places(name, node)
        for path, line in repeated_keys(node):
            self._problems.append(
                Problem(
                    ProblemCode.DUPLICATE_KEY,
                    _NOWHERE,
                    path,
                    "is set twice; YAML would silently keep the last",
                    "remove one",
                    location=Location(name, line),
                )
            )
        parsed = parse_document(DocumentLoader.value_of(node))
        if parsed is None:
            self._ignored += 1
            return
        self._problems += [problem.at(places.of(problem.path)) for problem in parsed.problems]
        if parsed.resource is None:
            return
        ref = parsed.resource.ref
        if ref in self._objects:
            first = self._places[ref].of("")
            self._problems.append(
                Problem(
                    ProblemCode.DUPLICATE_OBJECT,
                    ref,
                    "metadata.name",
                    f"{ref} is already defined at {first}",
                    "rename or remove one of them",
                    location=places.of("metadata.name"),
                )
            )
            return
        self._objects[ref] = parsed.resource
        self._places[ref] = places


def _documents(text: str) -> Iterator[yaml.Node]:
    """The documents of a text; a `List` (as `kubectl get -o yaml` prints) counts as its items."""
    for node in yaml.compose_all(text, Loader=DocumentLoader):
        if isinstance(node, yaml.ScalarNode) and not node.value:
            continue
        items = _list_items(node)
        yield from items if items is not None else [node]


def _list_items(node: yaml.Node) -> list[yaml.Node] | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    members = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    kind, items = members.get("kind"), members.get("items")
    is_list = isinstance(kind, yaml.ScalarNode) and kind.value == "List"
    return list(items.value) if is_list and isinstance(items, yaml.SequenceNode) else None
