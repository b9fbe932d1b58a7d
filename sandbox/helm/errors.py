"""The one exception that ends a helm command: its text follows `Error: ` on stderr."""


class HelmError(Exception):
    """Something helm tells its user; the exit status is 1."""


class ApiError(HelmError):
    """An answer of the Kubernetes API other than success. `status` is the HTTP status, `reason` the Status' reason."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Unreachable(HelmError):
    """No answer from the Kubernetes API at all."""
