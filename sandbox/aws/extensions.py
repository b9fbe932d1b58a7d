"""Makes moto use our subclasses. Imports moto, so it is imported only when moto's settings are in place."""

import moto.iam.models

from sandbox.aws.cloud import Cloud
from sandbox.aws.ec2 import backend as ec2
from sandbox.aws.moto_base import SandboxBackend


def install(cloud: Cloud) -> None:
    """Call once per process, before moto's first backend is made."""
    SandboxBackend.cloud = cloud
    # moto looks for an access key in every partition, and makes an IAM of 4 MB of managed policies in each.
    moto.iam.models.PARTITION_NAMES = ["aws"]
    ec2.install(cloud.lifecycle)
