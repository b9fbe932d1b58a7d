"""An AWS endpoint on one machine: moto server with the gaps filled that an EKS and RDS install meets.

moto is used for what it does well (EC2, IAM, Secrets Manager, S3, ELB, ECR). One module per gap says what moto lacks
and which AWS document describes it. What this endpoint says about AWS is our belief about AWS, not evidence.
moto's private attributes are used in places, so its version is pinned.
"""
