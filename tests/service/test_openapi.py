"""The OpenAPI document, and the service held against it."""

from typing import Any

import hypothesis
import schemathesis
from fastapi.testclient import TestClient
from schemathesis.core.result import Ok

from service.app import create_app
from service.settings import Settings
from tests.service.world import KEY, Story
from workflows.runtime import Runtime


def test_every_operation_is_named_and_says_how_it_fails(anonymous: TestClient) -> None:
    document: dict[str, Any] = anonymous.get("/openapi.json").json()
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(set(names)) == len(names)
    for path, method, operation in operations:
        assert operation["tags"], path
        assert operation["summary"], path
        if not path.startswith("/v1/"):
            continue
        assert operation["security"] == [{"ApiKey": []}], path
        expected = {"401", "422", "500", "503"} | ({"404"} if "{" in path else set())
        expected |= {"400", "409", "413", "415"} if method == "post" else set()
        assert expected <= set(operation["responses"]), path
        for status, answer in operation["responses"].items():
            if status >= "400":
                assert list(answer["content"]) == ["application/problem+json"], (path, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_secrets_are_write_only(anonymous: TestClient) -> None:
    schemas = anonymous.get("/openapi.json").json()["components"]["schemas"]
    licence = schemas["Conductor"]["properties"]["license_key"]["anyOf"][0]
    assert licence == {"type": "string", "writeOnly": True, "format": "password"}


class Kept:
    """A runtime that outlives the application: schemathesis starts and ends it around every request."""

    def __init__(self, runtime: Runtime) -> None:
        self.ledger, self.control, self.workers = runtime.ledger, runtime.control, runtime.workers
        self.can_work, self.abandoned = runtime.can_work, runtime.abandoned

    def drain(self) -> None:
        """Nothing works here."""

    def stop(self) -> None:
        """The fixture stops it."""


def test_the_service_does_what_its_document_says(runtime: Runtime, settings: Settings, story: Story) -> None:
    assert story.operation
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(Kept(runtime), settings))
    for operation in schema.get_all_operations():
        assert isinstance(operation, Ok)
        _hold(operation.ok())


def _hold(operation: schemathesis.APIOperation[Any, Any, Any, Any]) -> None:
    """Sends made-up requests, fitting and unfitting ones, and compares the answers with the document."""

    @hypothesis.given(case=operation.as_strategy())
    @hypothesis.settings(
        max_examples=5,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def holds(case: schemathesis.Case[Any]) -> None:
        # What a JSON Schema cannot say (does the region exist, do subnets overlap) is refused though it fits it.
        case.call_and_validate(
            headers={"Authorization": f"Bearer {KEY}"}, excluded_checks=[schemathesis.checks.positive_data_acceptance]
        )

    holds()
