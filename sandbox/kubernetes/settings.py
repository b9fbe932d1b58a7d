"""What one cluster's API server and controllers need to know about themselves."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Identity and surroundings of one cluster; read once from the command line.

    `speed` divides the durations AWS would take (`inf` means none); `directory` is the cluster's CLUSTER_DIR.
    """

    cluster: str
    account: str
    region: str
    aws_endpoint: str
    speed: float
    directory: Path
    port: int = 0
    kubernetes_version: str = "v1.34.1"

    @property
    def git_version(self) -> str:
        """What /version says: of EKS's, which changes while we run, else `kubernetes_version`."""
        file = self.directory / "kubernetes-version"
        return file.read_text() if file.exists() else f"{self.kubernetes_version}-eks-5a1f3c2"

    @property
    def arn(self) -> str:
        """The EKS cluster's ARN."""
        return f"arn:aws:eks:{self.region}:{self.account}:cluster/{self.cluster}"
