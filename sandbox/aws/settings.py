"""What the control API can switch while the sandbox runs; kept across restarts."""

from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any


@dataclass
class Settings:
    """autopush: put the sample image into new *-app and *-migrate repositories, as a person would with docker push.

    quotas: quota code (L-F678F1CE ...) to value, in place of the table in `quotas`.
    denied_actions: IAM action patterns such as "eks:Create*" that this account's caller may not do; honoured by
    SimulatePrincipalPolicy and by the calls themselves.
    failing_deletes: names of node groups that EKS fails to delete, as if somebody used their security group.
    leave_interfaces: the nodes of a deleted node group leave the CNI's network interfaces behind.
    failing_updates: types of EKS updates (VersionUpdate, EndpointAccessUpdate, ConfigUpdate, AddonUpdate) that end as
    Failed and change nothing.
    """

    autopush: bool = True
    quotas: dict[str, float] = field(default_factory=dict)
    denied_actions: list[str] = field(default_factory=list)
    failing_deletes: list[str] = field(default_factory=list)
    leave_interfaces: bool = False
    failing_updates: list[str] = field(default_factory=list)

    def change(self, values: dict[str, Any]) -> None:
        """Set the given fields; raises ValueError on an unknown name or a wrong type."""
        for name, value in values.items():
            if name not in {known.name for known in fields(self)}:
                raise ValueError(f"no setting is called {name}")
            if type(value) is not type(getattr(self, name)):
                raise ValueError(f"setting {name} must be a {type(getattr(self, name)).__name__}")
            setattr(self, name, value)

    def denies(self, action: str) -> bool:
        """Whether the IAM action (`service:Operation`, case ignored) is denied."""
        return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in self.denied_actions)
