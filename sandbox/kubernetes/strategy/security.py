"""Validation of security contexts, of pods and of containers.

Source: k8s.io/kubernetes/pkg/apis/core/validation/validation.go (ValidateSecurityContext).
"""

from sandbox.kubernetes.errors import Cause, invalid, required, unsupported
from sandbox.kubernetes.strategy.base import Object

_PROFILES = ["Localhost", "RuntimeDefault", "Unconfined"]
_IDS = ("runAsUser", "runAsGroup", "fsGroup")
_INTERNAL = (
    "Capabilities", "Privileged", "SELinuxOptions", "WindowsOptions", "RunAsUser", "RunAsGroup", "RunAsNonRoot",
    "ReadOnlyRootFilesystem", "AllowPrivilegeEscalation", "ProcMount", "SeccompProfile", "AppArmorProfile",
)  # fmt: skip


def validate_security(context: Object | None, field: str) -> list[Cause]:
    """What is wrong with a securityContext, None when there is none."""
    if not context:
        return []
    text = "must be between 0 and 2147483647, inclusive"
    causes = [
        invalid(f"{field}.{name}", context[name], text)
        for name in _IDS
        if context.get(name) is not None and not 0 <= context[name] < 2**31
    ]
    profile = context.get("seccompProfile")
    if profile is not None and profile.get("type") not in _PROFILES:
        causes.append(unsupported(f"{field}.seccompProfile.type", profile.get("type", ""), _PROFILES))
    elif profile and profile["type"] == "Localhost" and not profile.get("localhostProfile"):
        causes.append(
            required(f"{field}.seccompProfile.localhostProfile", "must be set when seccomp type is Localhost")
        )
    return causes + _validate_escalation(context, field)


def _validate_escalation(context: Object, field: str) -> list[Cause]:
    if context.get("allowPrivilegeEscalation", True):
        return []
    shown = {name: context.get(name[0].lower() + name[1:]) for name in _INTERNAL}
    causes = []
    if context.get("privileged"):
        causes.append(invalid(field, shown, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"))
    if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or []):
        text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
        causes.append(invalid(field, shown, text))
    return causes
