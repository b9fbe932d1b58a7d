"""The part of the installation spec that says where the three Helm charts come from, and with which values."""

import re
from typing import Annotated, ClassVar

from pydantic import Field, JsonValue, StringConstraints, field_validator

from steps.chart_repositories import check_repository
from steps.chart_table import CHARTS, Choice
from steps.chart_values import conflicts, misshapen
from workflows.spec_base import SecretReference, SpecModel

# semver.org, "Is there a suggested regular expression", anchored, without leading v: helm would take more as a range.
SEMVER = re.compile(
    r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$"
)


class ChartChoice(SpecModel):
    """One chart: what is left out is as Podium has pinned it."""

    chart: ClassVar[str]
    """The chart's name, the same in every repository."""

    repository: Annotated[str, StringConstraints(min_length=8, max_length=2048)] | None = Field(
        default=None, examples=["https://charts.example.com/mirror", "oci://registry.example.com/charts"]
    )
    """Chart repository (https://) or OCI registry and path (oci://, the chart's name is added) to take it from."""
    version: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, examples=["4.15.1"], json_schema_extra={"pattern": SEMVER.pattern}
    )
    """Exact version of the chart; no ranges."""
    values: dict[str, JsonValue] = Field(default_factory=dict, examples=[{"controller": {"replicaCount": 2}}])
    """Values over Podium's own, as in a values file. No secrets: they are stored, and shown, as they are."""
    credentials: SecretReference | None = Field(default=None, examples=[{"secret": "prod/charts"}])
    """Secret with the repository's credentials: a JSON object with the keys username and password."""

    @field_validator("repository")
    @classmethod
    def _repository_is_safe(cls, repository: str | None) -> str | None:
        if repository is not None:
            check_repository(repository)
        return repository

    @field_validator("version")
    @classmethod
    def _one_version(cls, version: str | None) -> str | None:
        if version is not None and not SEMVER.fullmatch(version):
            raise ValueError("must be one exact version; write it like 4.15.1, without v, ranges or latest")
        return version

    @field_validator("values")
    @classmethod
    def _values_fit(cls, values: dict[str, JsonValue]) -> dict[str, JsonValue]:
        wrong = misshapen(values)
        if wrong:
            raise ValueError(f"{wrong}; keep to what a values file of this chart needs")
        against = conflicts(CHARTS[cls.chart], values)
        if against:
            raise ValueError(f"{', and '.join(against)}; remove it from the values")
        return values

    @field_validator("credentials")
    @classmethod
    def _whole_secret(cls, credentials: SecretReference | None) -> SecretReference | None:
        if credentials is not None and credentials.json_key is not None:
            raise ValueError("the secret's keys username and password are used; remove json_key")
        return credentials

    @property
    def choice(self) -> Choice:
        """The same in the steps' terms."""
        credentials = self.credentials.model_dump() if self.credentials else None
        return Choice(self.repository, self.version, self.values, credentials)


class IngressNginxChart(ChartChoice):
    """The chart of ingress-nginx; only used when something is exposed."""

    chart = "ingress-nginx"


class SealedSecretsChart(ChartChoice):
    """The chart of sealed-secrets."""

    chart = "sealed-secrets"


class KedaChart(ChartChoice):
    """The chart of KEDA; only used with autoscaling."""

    chart = "keda"


class Charts(SpecModel):
    """Where the Helm charts come from: mirrors, air-gapped registries, other versions, further values."""

    ingress_nginx: IngressNginxChart = IngressNginxChart()
    sealed_secrets: SealedSecretsChart = SealedSecretsChart()
    keda: KedaChart = KedaChart()

    def by_name(self) -> dict[str, ChartChoice]:
        """By the chart's name, e.g. `ingress-nginx`."""
        return {each.chart: each for each in (self.ingress_nginx, self.sealed_secrets, self.keda)}
