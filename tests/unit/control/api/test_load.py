"""Folders of YAML: all problems at once, each with its place and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman_operator.api import BY_KIND, Loaded, ObjectRef, ProblemCode, load_folder, load_texts

POOL = """\
apiVersion: pointsman.dev/v1alpha1
kind: ModelPool
metadata: {name: main, namespace: demo}
spec:
  models:
  - name: mini
    provider: {type: OpenAI, model: gpt-4o}
"""
HEAD = "apiVersion: pointsman.dev/v1alpha1\nkind: ModelPool\nmetadata: {name: a}\n"


def _one(text: str) -> Loaded:
    return load_texts([("a.yaml", text)])


def test_a_good_document_becomes_an_object() -> None:
    """Namespace, name and kind are found; nothing is wrong."""
    loaded = _one(POOL)
    assert [item.ref for item in loaded.objects] == [ObjectRef("ModelPool", "demo", "main")]
    assert loaded.problems == ()


@pytest.mark.parametrize(
    ("line", "code", "path", "remedy"),
    [
        ("    tier: '1'", ProblemCode.INVALID_VALUE, "spec.models[0].tier", "remove the quotes: 1"),
        ("    tiers: 1", ProblemCode.UNKNOWN_FIELD, "spec.models[0].tiers", "did you mean tier?"),
        (
            "    pricing: {inputPerMTok: 1.5, outputPerMTok: '1'}",
            ProblemCode.INVALID_VALUE,
            "spec.models[0].pricing.inputPerMTok",
            'quote it: "1.5"',
        ),
        (
            "    pricing: {inputPerMTok: '1'}",
            ProblemCode.MISSING_FIELD,
            "spec.models[0].pricing.outputPerMTok",
            "set spec.models[0].pricing.outputPerMTok",
        ),
        (
            "    capabilities: [chatting]",
            ProblemCode.INVALID_VALUE,
            "spec.models[0].capabilities[0]",
            (
                "did you mean chat? Use 'chat', 'json', 'tools', 'vision', 'audio', 'embeddings', "
                "'transcription', 'speech' or 'images'"
            ),
        ),
    ],
)
def test_a_mistake_is_named_with_line_path_and_remedy(
    line: str, code: ProblemCode, path: str, remedy: str
) -> None:
    """One wrong line gives one problem, and the object does not load."""
    loaded = _one(POOL + line + "\n")
    assert loaded.objects == ()
    (problem,) = loaded.problems
    assert (problem.code, problem.path, problem.remedy) == (code, path, remedy)
    assert str(problem.location) == "a.yaml:8"
    assert problem.ref == ObjectRef("ModelPool", "demo", "main")


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    """A folder is read to its end whatever its files hold, and good objects still load."""
    (tmp_path / "good.yaml").write_text(POOL)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "bad.yaml").write_text(HEAD + "spec: {models: [{name: UPPER}]}\n")
    (tmp_path / "syntax.yml").write_text("a: [1\nb: 2\n")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    (tmp_path / ".hidden.yaml").write_text("nothing: here")
    loaded = load_folder(tmp_path)
    assert len(loaded.objects) == 1
    places = [(Path(p.location.file).name, p.code) for p in loaded.problems if p.location]
    assert places == [
        ("binary.json", ProblemCode.UNREADABLE),
        ("bad.yaml", ProblemCode.INVALID_VALUE),
        ("syntax.yml", ProblemCode.UNREADABLE),
    ]


def test_an_empty_folder_is_a_problem(tmp_path: Path) -> None:
    """A mistyped path must not look like a folder without mistakes."""
    (problem,) = load_folder(tmp_path / "nowhere").problems
    assert problem.code is ProblemCode.UNREADABLE


def test_other_api_groups_are_passed_over_and_counted() -> None:
    """Deployments may lie beside; a kind of our group that does not exist may not."""
    loaded = _one("apiVersion: apps/v1\nkind: Deployment\n---\n" + POOL)
    assert (len(loaded.objects), loaded.ignored) == (1, 1)
    (problem,) = _one("apiVersion: pointsman.dev/v1alpha1\nkind: ModelPol\n").problems
    assert (problem.code, problem.remedy) == (ProblemCode.UNKNOWN_KIND, "did you mean ModelPool?")
    (problem,) = _one("apiVersion: pointsman.dev/v1\nkind: ModelPool\n").problems
    assert problem.path == "apiVersion"


def test_a_key_that_is_set_twice_is_found() -> None:
    """YAML would keep the last silently."""
    (problem,) = _one(POOL + "    tier: 1\n    tier: 2\n").problems
    assert (problem.code, problem.path) == (ProblemCode.DUPLICATE_KEY, "spec.models[0].tier")
    assert str(problem.location) == "a.yaml:9"


def test_an_object_that_is_defined_twice_names_the_first() -> None:
    """The first stays, the second is refused with the first's place."""
    loaded = load_texts([("a.yaml", POOL), ("b.yaml", "# one line down\n" + POOL)])
    assert len(loaded.objects) == 1
    (problem,) = loaded.problems
    assert problem.code is ProblemCode.DUPLICATE_OBJECT
    assert str(problem.location) == "b.yaml:4"
    assert "a.yaml:1" in problem.message


def test_lists_dates_and_empty_documents_read_as_kubernetes_reads_them() -> None:
    """`kubectl get -o yaml` prints a List with timestamps; empty documents mean nothing."""
    item = POOL.replace("namespace: demo", "creationTimestamp: 2026-01-02T03:04:05Z")
    lines = "\n".join("  " + line for line in item.splitlines())
    text = "---\n---\napiVersion: v1\nkind: List\nitems:\n-" + lines[1:] + "\n"
    loaded = _one(text)
    assert loaded.problems == ()
    (found,) = loaded.objects
    assert found.metadata.creation_timestamp == "2026-01-02T03:04:05Z"
    assert found.metadata.namespace == "default"


def test_aliases_that_explode_are_refused() -> None:
    """A few lines that stand for billions of values cost a problem, not the machine."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    (problem,) = _one("\n".join(lines)).problems
    assert (problem.code, problem.remedy) == (ProblemCode.UNREADABLE, "use fewer YAML aliases")


@pytest.mark.parametrize("text", ["", "just text", "[1, 2]", "a: &x [*x]", "? {a: 1}\n: 2", "\t"])
def test_whatever_a_file_holds_reading_it_ends(text: str) -> None:
    """Nonsense is a problem or nothing, never an exception."""
    assert _one(text).objects == ()


def test_every_kind_is_registered_once() -> None:
    """The three kinds of the product."""
    assert sorted(BY_KIND) == ["Budget", "ModelPool", "RoutingPolicy"]
