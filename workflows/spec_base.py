"""What the parts of the installation spec have in common: strictness, and references to secrets."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints


class SpecModel(BaseModel):
    """Frozen, and strict about names: a misspelt field is an error, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class SecretReference(SpecModel):
    """Where a secret value is kept: AWS Secrets Manager in the installation's account and region."""

    secret: Annotated[str, StringConstraints(min_length=1, max_length=512)] = Field(examples=["prod/dbos/license"])
    """Name or ARN of the secret in AWS Secrets Manager."""
    version_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Version id of the secret; without one, the current version."""
    json_key: Annotated[str, StringConstraints(max_length=128)] | None = Field(default=None, examples=["license-key"])
    """Key within the secret's JSON object; without one, the secret's whole text is the value."""


SecretInput = SecretStr | SecretReference
