"""Everything one running AWS stand-in holds, in one place."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.aws.call_log import CallLog
from sandbox.aws.clock import Clock
from sandbox.aws.credentials import Credentials
from sandbox.aws.faults import Faults
from sandbox.aws.lifecycle import Lifecycle
from sandbox.aws.quotas import Quotas
from sandbox.aws.settings import Settings
from sandbox.aws.tokens import Tokens


@dataclass
class Cloud:
    """Shared by all modules of the stand-in.

    `lock` serialises every request and every timed change: moto is not thread-safe (16 threads creating one cluster
    made four). What takes long (starting processes, waiting for them) runs in `workers`, without the lock.
    """

    home: Path
    port: int
    clock: Clock
    credentials: Credentials
    settings: Settings = field(default_factory=Settings)
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    tokens: Tokens = field(default_factory=Tokens)
    faults: Faults = field(default_factory=Faults)
    calls: CallLog = field(default_factory=CallLog)
    lock: threading.RLock = field(default_factory=threading.RLock)
    workers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16, "aws-worker"))

    @property
    def quotas(self) -> Quotas:
        return Quotas(self.settings)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"
