"""STS: who we are, and the tokens with which EKS knows us."""

import base64
from dataclasses import dataclass
from typing import Any

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
        """A bearer token for one EKS cluster's API, byte for byte as `aws eks get-token` makes it.

        It is a presigned GetCallerIdentity URL; the cluster's name is a signed header, so the token is good for that
        cluster only. EKS accepts it for 15 minutes. boto3's client makes the URL, so that endpoint and signing region
        agree whatever the environment says of endpoints (AWS_ENDPOINT_URL, FIPS, the legacy global one).
        Source: awscli/customizations/eks/get_token.py; sigs.k8s.io/aws-iam-authenticator/pkg/token.
        """
        api = self.connection.client("sts")
        api.meta.events.register("provide-client-params.sts.GetCallerIdentity", _keep_cluster, unique_id="podium-keep")
        api.meta.events.register("before-sign.sts.GetCallerIdentity", _sign_cluster, unique_id="podium-sign")
        url = api.generate_presigned_url(
            "get_caller_identity", Params={CLUSTER_HEADER: cluster_name}, ExpiresIn=URL_SECONDS, HttpMethod="GET"
        )
        return TOKEN_PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def _keep_cluster(params: dict[str, Any], context: dict[str, Any], **_event: Any) -> None:
    """The operation has no such parameter: it goes into the request's context, before botocore checks parameters."""
    if CLUSTER_HEADER in params:
        context[CLUSTER_HEADER] = params.pop(CLUSTER_HEADER)


def _sign_cluster(request: Any, **_event: Any) -> None:
    """The header goes in before the signature is made, once (botocore's headers may be many of one name)."""
    if CLUSTER_HEADER in request.context and CLUSTER_HEADER not in request.headers:
        request.headers[CLUSTER_HEADER] = request.context[CLUSTER_HEADER]
