"""Resource Groups Tagging API: everything that carries a tag, as the proof of an uninstall cross-checks it."""

from typing import Any

from steps.clients.aws.base import ServiceClient, tag_dict, translated


class Tagging(ServiceClient):
    """Resource Groups Tagging API. It lags behind the services by minutes, and does not know IAM's roles."""

    service = "resourcegroupstaggingapi"

    @property
    def _api(self) -> Any:
        return self.connection.client("resourcegroupstaggingapi")

    @translated
    def tagged(self, key: str, value: str) -> dict[str, dict[str, str]]:
        """{ARN: tags} of everything in the region that has this tag, or had it a moment ago."""
        pages = self._api.get_paginator("get_resources").paginate(TagFilters=[{"Key": key, "Values": [value]}])
        return {
            one["ResourceARN"]: tag_dict(one.get("Tags")) for page in pages for one in page["ResourceTagMappingList"]
        }
