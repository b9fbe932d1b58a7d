"""State that outlives the process, also after kill -9.

Gap: moto keeps nothing across restarts. All its backends and our own tables are one pickle (they refer to each other),
written at most WAIT seconds after a call that changed something: with the lock held for the pickling only, the file
replaced in one move, mode 0600. It is the sandbox's own state in its own directory. AWS's managed IAM policies, 4 MB
that never change, are left out by name.
"""

import copyreg
import io
import logging
import pickle
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.files import write_private

log = logging.getLogger(__name__)
WAIT = 0.2  # seconds
FORMAT = 1
LEFT_OUT = {"resourcegroupstaggingapi", "moto_api", "instance_metadata"}


def _managed_policy(arn: str) -> Any:
    """Called while loading a pickle: AWS's managed policy of that ARN, as moto has just made it."""
    return _policies_by_arn()[arn]


def _reduce_policy(policy: Any) -> Any:
    """An AWS managed policy nobody has attached is pickled as its ARN."""
    if policy.attachment_count:
        return policy.__reduce_ex__(5)
    return _managed_policy, (policy.arn,)


class Snapshots:
    """`own` gives our own tables; `mark` says that something changed; a thread does the rest."""

    def __init__(self, path: Path, lock: threading.RLock, own: Callable[[], dict[str, Any]]) -> None:
        self._path = path
        self._lock = lock
        self._own = own
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def mark(self) -> None:
        self._changed.set()

    def stop(self) -> None:
        """Write what is not written yet, then end."""
        self._stopping.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()
        self.save()

    def save(self) -> None:
        """Write the state now."""
        with self._lock:
            self._changed.clear()
            content = self.taken()
        write_private(self._path, content)

    def restore(self) -> dict[str, Any] | None:
        """Put moto's backends back as they were; returns our own tables, or None when there is no saved state."""
        return self.put_back(self._path.read_bytes()) if self._path.exists() else None

    def put_back(self, content: bytes) -> dict[str, Any]:
        """Put moto's backends back as they were when `content` was taken; returns our own tables of then."""
        state = pickle.loads(content)  # noqa: S301 - our own file, mode 0600, or our own memory
        if state["format"] != FORMAT:
            raise RuntimeError(
                f"{self._path} is of format {state['format']}, not {FORMAT}: delete the sandbox's folder"
            )
        for (service, account, region), backend in state["backends"].items():
            _moto_backends(service)[account][region] = backend
        own: dict[str, Any] = state["own"]
        return own

    def taken(self) -> bytes:
        """The state as it is now. Call with the lock held."""
        from moto.iam.models import AWSManagedPolicy  # noqa: PLC0415

        buffer = io.BytesIO()
        pickler = pickle.Pickler(buffer, protocol=5)
        reducers = {AWSManagedPolicy: _reduce_policy, type(threading.RLock()): lambda _: (threading.RLock, ())}
        pickler.dispatch_table = copyreg.dispatch_table | reducers
        pickler.dump({"format": FORMAT, "backends": _backends(), "own": self._own()})
        return buffer.getvalue()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._changed.wait()
            if self._stopping.wait(WAIT):
                return
            try:
                self.save()
            except (OSError, pickle.PicklingError, TypeError, AttributeError):
                log.exception("the sandbox's AWS state could not be saved")


def _backends() -> dict[tuple[str, str, str], Any]:
    from moto.core.base_backend import BackendDict  # noqa: PLC0415

    return {
        (service.service_name, account, region): backend
        for service in list(BackendDict._instances)
        if service.service_name not in LEFT_OUT
        for account, region, backend in service.iter_backends()
    }


def _moto_backends(service: str) -> Any:
    from moto import backends  # noqa: PLC0415

    return backends.get_backend(service)


@cache
def _policies_by_arn() -> dict[str, Any]:
    """AWS's managed policies, which moto makes when an account's IAM is first touched."""
    from moto.core import DEFAULT_ACCOUNT_ID  # noqa: PLC0415
    from moto.iam.models import iam_backends  # noqa: PLC0415

    return {policy.arn: policy for policy in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].aws_managed_policies}
