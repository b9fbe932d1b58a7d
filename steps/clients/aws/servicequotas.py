"""Service Quotas: what the account may have of something."""

from typing import TYPE_CHECKING

from steps.clients.aws.base import ServiceClient, Tolerate, translated
from steps.clients.aws.quotas import Quota

if TYPE_CHECKING:
    from mypy_boto3_service_quotas import ServiceQuotasClient


class ServiceQuotas(ServiceClient):
    """Service Quotas."""

    service = "service-quotas"

    @property
    def _api(self) -> "ServiceQuotasClient":
        api: ServiceQuotasClient = self.connection.client("service-quotas")
        return api

    @translated
    def limit(self, quota: Quota) -> int:
        """The account's value, or a new account's default where Service Quotas keeps none."""
        with Tolerate("NoSuchResourceException"):
            answer = self._api.get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)
            return int(answer["Quota"].get("Value", quota.default))
        return quota.default
