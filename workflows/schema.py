"""The JSON Schema of the installation spec, generated from the model."""

from typing import Any

from workflows.spec import InstallationSpec


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12, with descriptions, units and examples of every field."""
    schema = InstallationSpec.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
