"""Client tokens: the same token and parameters get the first answer again, not a second thing.

Gap: moto ignores EC2's ClientToken (duplicates for route table, NAT gateway, endpoints, instances). EC2 API Reference,
"Ensuring idempotency": other parameters under the same token are IdempotentParameterMismatch. EKS answers
InvalidParameterException there.
"""

import hashlib
import json
from dataclasses import dataclass, field

from sandbox.aws.errors import Answer, AwsError
from sandbox.aws.requests import Call

SERVICES = ("ec2", "eks")
TOKEN_NAMES = ("ClientToken", "clientRequestToken")
Place = tuple[str, str, str, str, str]
"""Account, region, service, operation, token."""


@dataclass
class Tokens:
    """Answers by token; kept across restarts (AWS keeps them for hours to days; here until the sandbox is deleted)."""

    answers: dict[Place, tuple[str, Answer]] = field(default_factory=dict)

    def replay(self, call: Call) -> Answer | None:
        """The first answer to the same call, if there was one. Raises AwsError when the parameters differ."""
        if call.token is None or call.service not in SERVICES:
            return None
        known = self.answers.get(_place(call))
        if known is None:
            return None
        digest, answer = known
        if digest != _digest(call):
            code = "IdempotentParameterMismatch" if call.service == "ec2" else "InvalidParameterException"
            raise AwsError(code, f"The client token {call.token} was used with different parameters.")
        return answer

    def keep(self, call: Call, answer: Answer) -> None:
        """Remember a success."""
        if call.token is not None and call.service in SERVICES and answer[0] < 300:
            self.answers[_place(call)] = (_digest(call), answer)


def _place(call: Call) -> Place:
    return call.account, call.region, call.service, call.operation, str(call.token)


def _digest(call: Call) -> str:
    params = {key: value for key, value in call.params.items() if key not in TOKEN_NAMES}
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()
