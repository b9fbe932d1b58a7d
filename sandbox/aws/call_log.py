"""What has been asked of the sandbox's AWS: for tests ("called once") and for people. Secrets are left out."""

import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.requests import Call

KEPT = 5000
SECRET = re.compile(r"password|secretstring|secretbinary|sessiontoken|authorization", re.IGNORECASE)


@dataclass
class CallLog:
    """The last KEPT calls, oldest first; `n` counts from 1 since the process started."""

    entries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT))
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, call: Call, status: int, error_code: str | None) -> None:
        with self.lock:
            self.count += 1
            self.entries.append(
                {
                    "n": self.count,
                    "at": time.time(),
                    "service": call.service,
                    "operation": call.operation,
                    "status": status,
                    "error_code": error_code,
                    "access_key": call.access_key,
                    "presigned": call.presigned,
                    "region": call.region,
                    "params": {key: _short(key, value) for key, value in call.params.items() if key != "Version"},
                }
            )

    def listed(self) -> list[dict[str, Any]]:
        with self.lock:
            return list(self.entries)

    def clear(self) -> None:
        with self.lock:
            self.entries.clear()


def _short(key: str, value: Any) -> str:
    if SECRET.search(key):
        return "***"
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= 200 else text[:200] + "…"
