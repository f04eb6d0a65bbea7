"""The generators: what they refuse, and that check mode tells what to run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel, Field

from pointsman_operator.api import KINDS
from pointsman_operator.generate.__main__ import generated, main
from pointsman_operator.generate.conditions import CONDITIONS
from pointsman_operator.generate.crds import definition
from pointsman_operator.generate.reference import reference_files
from pointsman_operator.generate.schema import UnsupportedSchemaError, structural
from pointsman_operator.kube.reasons import Reason

FORBIDDEN = {"$ref", "anyOf", "oneOf", "allOf", "const", "title", "$defs", "discriminator"}
CLIENT_SIDE_APPLY_BYTES = 256 << 10


def test_check_mode_finds_every_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A written tree is clean; one changed byte fails, with a diff and the command to run."""
    assert main(["--mode", "write", "--root", str(tmp_path)]) == 0
    assert main(["--mode", "check", "--root", str(tmp_path)]) == 0
    changed = tmp_path / "crds" / "budgets.pointsman.dev.yaml"
    changed.write_text(changed.read_text().replace("shortNames", "shorterNames"))
    assert main(["--mode", "check", "--root", str(tmp_path)]) == 1
    printed = capsys.readouterr().err
    assert "+    shortNames:" in printed
    assert "make gen" in printed


def test_no_definition_holds_an_empty_map() -> None:
    """The API server drops those, and whoever applies the definition next is told of a conflict."""
    for path, text in generated().items():
        if "templates" not in str(path) and str(path).endswith("pointsman.dev.yaml"):
            schema = yaml.safe_load(text)["spec"]["versions"][0]["schema"]
            assert ": {}" not in json.dumps(schema), path


def test_the_checkout_is_as_generated() -> None:
    """Nobody edits a generated file, and nobody forgets to write them."""
    assert main(["--mode", "check"]) == 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kinds_page_shows_a_whole_example_and_every_field(kind: Any) -> None:
    """What people copy is a document of that kind; the pages name each top-level field."""
    page = reference_files()[f"docs/reference/{kind.name.lower()}.md"]
    example = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    assert example["kind"] == kind.name
    kind.resource.model_validate_json(json.dumps(example))
    for name, field in kind.spec.model_fields.items():
        assert f"`spec.{field.alias or name}`" in page


def test_every_reason_stands_at_a_known_condition() -> None:
    """The pages name each condition, with the kinds that bear it, and no others."""
    known = {condition.name for condition in CONDITIONS}
    assert {name for reason in Reason for name in reason.condition.split(", ")} <= known
    kinds = {kind.name for kind in KINDS}
    assert all(kinds.issuperset(condition.kinds) for condition in CONDITIONS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_crds_are_structural(kind: Any) -> None:
    """No reference, union or closed object; every type said; small enough for `kubectl apply`."""
    crd = definition(kind)
    assert len(yaml.dump(crd)) < CLIENT_SIDE_APPLY_BYTES
    version = crd["spec"]["versions"][0]
    assert version["subresources"] == {"status": {}}
    pending = [version["schema"]["openAPIV3Schema"]]
    while pending:
        schema = pending.pop()
        assert schema.keys() & FORBIDDEN == set()
        assert "type" in schema
        pending += schema.get("properties", {}).values()
        pending += [schema["items"]] if "items" in schema else []
        extra = schema.get("additionalProperties")
        assert not (extra and "properties" in schema)
        pending += [extra] if extra else []


def test_what_a_structural_schema_cannot_say_is_refused() -> None:
    """Unions and unbounded lists stop the generator instead of vanishing."""

    class Union(BaseModel):
        value: int | str

    class Unbounded(BaseModel):
        values: list[Annotated[str, Field(max_length=1)]]

    with pytest.raises(UnsupportedSchemaError, match="union"):
        structural(Union)
    with pytest.raises(UnsupportedSchemaError, match="maxItems"):
        structural(Unbounded)


def test_generated_bytes_are_the_same_every_time() -> None:
    """Twice the same, and the table's schema is a valid JSON schema."""
    first = generated()
    assert first == generated()
    schema = yaml.safe_load(first["crds/routetable.schema.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
