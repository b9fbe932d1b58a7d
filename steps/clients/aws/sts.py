"""STS: who we are, and the tokens with which EKS knows us."""

import base64
from dataclasses import dataclass

from botocore.signers import RequestSigner

from steps.clients.aws.base import ServiceClient, translated

TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105 - a format's name, not a secret
CLUSTER_HEADER = "x-k8s-aws-id"
URL_SECONDS = 60


@dataclass(frozen=True)
class Identity:
    """The caller: account number, ARN (of the session, when a role is assumed)."""

    account_id: str
    arn: str

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`."""
        return self.arn.split(":")[1]


class Sts(ServiceClient):
    """Security Token Service."""

    service = "sts"

    @translated
    def identity(self) -> Identity:
        answer = self.connection.client("sts").get_caller_identity()
        identity = Identity(answer["Account"], answer["Arn"])
        self.connection.principal = identity.arn
        return identity

    @translated
    def cluster_token(self, cluster_name: str) -> str:
        """A bearer token for one EKS cluster's API, as `aws eks get-token` makes it.

        It is a presigned GetCallerIdentity URL; the cluster's name is a signed header, so the token is good for that
        cluster only. EKS accepts it for 15 minutes.
        """
        api = self.connection.client("sts")
        signer = RequestSigner(
            api.meta.service_model.service_id,
            self.connection.target.region,
            "sts",
            "v4",
            self.connection.credentials(),
            self.connection.events(),
        )
        request = {
            "method": "GET",
            "url": f"{api.meta.endpoint_url.rstrip('/')}/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {CLUSTER_HEADER: cluster_name},
            "context": {},
        }
        url = signer.generate_presigned_url(request, operation_name="", expires_in=URL_SECONDS)
        return TOKEN_PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
