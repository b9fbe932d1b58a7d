"""Looking at an installation from outside: AWS, Kubernetes and PostgreSQL, with nothing of Podium's."""

import base64
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import httpx2
import psycopg
import yaml


class Cloud:
    """AWS with the sandbox's credentials."""

    def __init__(self, env: dict[str, str]) -> None:
        self._endpoint = env["AWS_ENDPOINT_URL"]
        self._session = boto3.Session(
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            region_name=env["AWS_REGION"],
        )

    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._endpoint)  # type: ignore[call-overload]

    def tagged(self, operation: str, key: str, name: str = "dbos-conductor") -> list[dict[str, Any]]:
        """EC2 things that carry the installation's tag, e.g. tagged("describe_vpcs", "Vpcs")."""
        ec2 = self.client("ec2")
        name_of_filters = "Filter" if operation == "describe_nat_gateways" else "Filters"
        filters = {name_of_filters: [{"Name": "tag:podium:installation", "Values": [name]}]}
        found: list[dict[str, Any]] = getattr(ec2, operation)(**filters)[key]
        return found


class Cluster:
    """The Kubernetes API with the kubeconfig of sandbox.env."""

    def __init__(self, env: dict[str, str]) -> None:
        config = yaml.safe_load(Path(env["KUBECONFIG"]).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=_pem(cluster))
        headers = {"Authorization": f"Bearer {user['token']}"}
        self.http = httpx2.Client(base_url=cluster["server"], headers=headers, verify=context, timeout=30)

    def get(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(path).raise_for_status().json()
        return found

    def items(self, path: str) -> dict[str, dict[str, Any]]:
        """Objects of a list by name."""
        return {item["metadata"]["name"]: item for item in self.get(path)["items"]}

    def secret(self, name: str, namespace: str = "dbos") -> dict[str, str]:
        """A Secret's values, decoded."""
        data = self.get(f"/api/v1/namespaces/{namespace}/secrets/{name}")["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def through_service(self, service: str, port: int, path: str, namespace: str = "dbos") -> Any:
        base = f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy"
        return self.http.get(f"{base}{path}").raise_for_status()


@contextmanager
def database(url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def _pem(cluster: dict[str, str]) -> str:
    if "certificate-authority-data" in cluster:
        return base64.b64decode(cluster["certificate-authority-data"]).decode()
    return Path(cluster["certificate-authority"]).read_text()
