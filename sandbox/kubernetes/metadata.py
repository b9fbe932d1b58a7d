"""Names, identities, times and label selectors' plain form: what every object's metadata needs."""

import json
import secrets
import uuid
from datetime import UTC, datetime
from typing import Any

_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # k8s.io/apimachinery/pkg/util/rand: no vowels, nothing look-alike
_NAME_LIMIT = 63 - 5


def now() -> str:
    """The present as RFC 3339 with seconds, as `metav1.Time` prints it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def after(seconds: int) -> str:
    """`seconds` from now, as `now()` prints it."""
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_uid() -> str:
    """A fresh object UID."""
    return str(uuid.uuid4())


def random_suffix(length: int = 5) -> str:
    """The random tail of generated names."""
    return "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(length))


def generated_name(prefix: str) -> str:
    """`prefix` with a random tail, cut to fit a DNS label."""
    return prefix[:_NAME_LIMIT] + random_suffix()


def dump(obj: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(obj, ensure_ascii=False, separators=(",", ":")).encode()


def copy(obj: dict[str, Any]) -> dict[str, Any]:
    """A deep copy through JSON, which is faster than copy.deepcopy and proves that the object is JSON."""
    copied: dict[str, Any] = json.loads(json.dumps(obj))
    return copied
