"""iam:SimulatePrincipalPolicy.

Gap: moto has no policy simulator. Here every action is allowed unless the setting `denied_actions` names it (IAM API
Reference, SimulatePrincipalPolicy).
"""

import re
import uuid
from xml.sax.saxutils import escape

from sandbox.aws.errors import Answer
from sandbox.aws.requests import Call
from sandbox.aws.settings import Settings

MEMBER = re.compile(r"(ActionNames|ResourceArns)\.member\.(\d+)$")


def simulate_principal_policy(call: Call, settings: Settings) -> Answer:
    """One result for each action and resource asked about."""
    actions = _members(call, "ActionNames")
    resources = _members(call, "ResourceArns") or ["*"]
    results = "".join(
        f"<member>{_result(action, resource, settings)}</member>" for action in actions for resource in resources
    )
    text = (
        '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
        f"<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>{results}"
        "</EvaluationResults></SimulatePrincipalPolicyResult>"
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>"
    )
    return 200, [("Content-Type", "text/xml")], text.encode()


def _result(action: str, resource: str, settings: Settings) -> str:
    decision = "implicitDeny" if settings.denies(action) else "allowed"
    return (
        f"<EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
        f"<EvalDecision>{decision}</EvalDecision><MatchedStatements/><MissingContextValues/>"
    )


def _members(call: Call, name: str) -> list[str]:
    found = [
        (int(match[2]), str(value))
        for key, value in call.params.items()
        if (match := MEMBER.match(key)) and match[1] == name
    ]
    return [value for _, value in sorted(found)]
