"""The repository's own files: what no program runs here, checked as far as can be without a container engine."""

import json
from pathlib import Path

import jsonschema
import yaml

from steps.names import Names
from workflows.schema import json_schema
from workflows.spec import InstallationSpec

ROOT = Path(__file__).parents[2]
SCHEMA = Path(__file__).parent / "data" / "compose-spec.json"


def test_the_compose_file_satisfies_the_compose_specification() -> None:
    schema = json.loads(SCHEMA.read_text())
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    errors = list(jsonschema.Draft7Validator(schema).iter_errors(compose))
    assert errors == []
    assert compose["services"].keys() == {"postgres", "sandbox", "api", "worker-1", "worker-2"}


def test_the_compose_files_build_targets_are_stages_of_the_dockerfile() -> None:
    stages = {line.split()[-1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("FROM ")}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    targets = {service["build"]["target"] for service in compose["services"].values() if "build" in service}
    assert targets <= stages


def test_the_containers_run_without_root_and_with_a_read_only_root_file_system() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert all(service["read_only"] for service in compose["services"].values() if "build" in service)
    assert "\nUSER 10001\n" in (ROOT / "Dockerfile").read_text()


def test_the_locks_name_versions_and_hashes_but_no_host() -> None:
    for lock in (ROOT / "requirements.lock", ROOT / "examples" / "app" / "requirements.lock"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text


def test_the_guides_example_satisfies_the_generated_schema_and_the_model() -> None:
    example = yaml.safe_load((ROOT / "examples" / "guide.yaml").read_text())
    jsonschema.Draft202012Validator(json_schema()).validate(example)
    spec = InstallationSpec.model_validate(example)
    assert spec.name == "dbos-conductor"


def test_a_name_and_a_region_mean_the_guides_values_but_for_exposure() -> None:
    example = InstallationSpec.model_validate(yaml.safe_load((ROOT / "examples" / "guide.yaml").read_text()))
    least = InstallationSpec.model_validate({"name": "dbos-conductor", "aws": {"region": "us-west-2"}})
    assert least.exposure.mode == "internal"
    assert example.exposure.mode == "path"
    names = Names("dbos-conductor")
    assert (example.registry.app_repository, example.registry.migrate_repository) == (
        names.app_repository,
        names.migrate_repository,
    )
    resolved = example.model_dump(exclude={"exposure", "registry"})
    assert {key: value for key, value in resolved.items() if value != least.model_dump()[key]} == {}


def test_every_field_of_the_schema_has_a_description() -> None:
    schema = json_schema()
    missing = [
        f"{title}.{name}"
        for title, model in [("InstallationSpec", schema), *schema["$defs"].items()]
        for name, field in model.get("properties", {}).items()
        if "description" not in field and "$ref" not in field and "default" not in field
    ]
    assert missing == []
