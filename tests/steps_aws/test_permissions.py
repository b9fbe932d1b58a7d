"""The table of IAM actions is exactly what the clients call, and the policy file is that table."""

import ast
import json
from functools import cache
from pathlib import Path

import botocore.session

from steps.clients.aws import permissions

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "deploy/iam/podium-policy.json"


def called_in_source() -> set[str]:
    """`service:Operation` of every `self._api.x(…)`, `api.x(…)` and `get_paginator("x")` in the clients."""
    found = set()
    for path in (ROOT / "steps/clients/aws").glob("*.py"):
        tree = ast.parse(path.read_text())
        service = next((name for node in ast.walk(tree) if (name := _service(node))), None)
        if service and service != "sts":  # GetCallerIdentity needs no permission
            methods = {name for node in ast.walk(tree) if (name := _method(node))}
            found |= {permissions.action_name(service, _operation(service, method)) for method in methods}
    return found


def _service(node: ast.AST) -> str | None:
    """The value of `service = "…"` in a class."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "service":
        value = ast.literal_eval(node.value)
        return value if isinstance(value, str) else None
    return None


def _method(node: ast.AST) -> str | None:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    on = node.func.value
    if not (isinstance(on, ast.Attribute) and on.attr == "_api"):
        return None
    if node.func.attr == "get_paginator":
        return str(ast.literal_eval(node.args[0]))
    return node.func.attr


def _operation(service: str, method: str) -> str:
    return _operations(service)[method]


@cache
def _operations(service: str) -> dict[str, str]:
    """{boto3's method: AWS's operation}."""
    names = botocore.session.get_session().get_service_model(service).operation_names
    return {botocore.xform_name(name): name for name in names}


def test_the_table_has_exactly_the_actions_that_the_clients_call() -> None:
    assert called_in_source() == set(permissions.calls())


def test_the_policy_file_is_the_table() -> None:
    assert json.loads(POLICY.read_text()) == json.loads(json.dumps(permissions.policy())), (
        "run: python -m steps.clients.aws.permissions > deploy/iam/podium-policy.json"
    )


def test_patterns_in_the_policy_stand_for_reading_only_and_for_every_call() -> None:
    for statement in permissions.STATEMENTS:
        assert set(statement.written) <= {"Describe*"}
        if statement.written:
            others = [call for call in statement.calls if not call.startswith("Describe")]
            assert others == [], statement.sid


def test_the_policy_fits_into_one_managed_policy() -> None:
    assert len(json.dumps(permissions.policy(), separators=(",", ":"))) <= 6144
    sids = [statement["Sid"] for statement in permissions.policy()["Statement"]]
    assert len(sids) == len(set(sids))
    assert all(sid.isalnum() for sid in sids)
