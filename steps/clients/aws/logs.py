"""CloudWatch Logs: whether a cluster's log groups are there. Podium makes none."""

from typing import Any

from steps.clients.aws.base import ServiceClient, translated


class Logs(ServiceClient):
    """CloudWatch Logs."""

    service = "logs"

    @property
    def _api(self) -> Any:
        return self.connection.client("logs")

    @translated
    def groups(self, prefix: str) -> list[str]:
        """Names of the log groups that begin with `prefix`."""
        pages = self._api.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        return [one["logGroupName"] for page in pages for one in page["logGroups"]]
