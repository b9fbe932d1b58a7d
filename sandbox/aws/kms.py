"""KMS keys without what they do not need.

Gap: moto makes an RSA key pair for every key, also for symmetric ones such as aws/secretsmanager: that takes up to a
second, and cannot be saved (AWS KMS Developer Guide, "Key spec reference": SYMMETRIC_DEFAULT has no key pair).
"""

from typing import Any

import moto.kms.models as moto_kms


def install() -> None:
    """Make key pairs for asymmetric keys only."""
    of_moto = moto_kms.generate_private_key

    def generate(key_spec: str) -> Any:
        return of_moto(key_spec) if key_spec.startswith(("RSA", "ECC")) else None

    moto_kms.generate_private_key = generate
