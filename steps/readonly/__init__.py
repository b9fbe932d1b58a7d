"""Clients of AWS and Kubernetes that look and change nothing: what they are asked to change is written down instead.

The phases' own functions look, compare, and do what is missing. Run with these clients they say what they would do, and
that is what has drifted (workflows/drift.py). Nothing that is not known to be a read ever leaves this process.
"""

from steps.readonly.aws import reading_aws
from steps.readonly.kube import ReadOnlyKube
from steps.readonly.records import Difference, Kind, NoResult, Records, Stopped, Unknown, recording, records

__all__ = [
    "Difference",
    "Kind",
    "NoResult",
    "ReadOnlyKube",
    "Records",
    "Stopped",
    "Unknown",
    "reading_aws",
    "recording",
    "records",
]
