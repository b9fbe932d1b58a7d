"""AWS, through boto3: one thin client per service, typed results outside, errors translated at the edge.

`Aws` bundles the clients of one account and region. Nothing of boto3 or botocore leaves this package.
"""

from steps.clients.aws.account import Aws
from steps.clients.aws.session import AwsTarget

__all__ = ["Aws", "AwsTarget"]
