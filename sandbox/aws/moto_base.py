"""What all our subclasses of moto's backends share: the cloud they belong to, and where moto finds their URLs.

moto makes a backend per account and region by itself (`BackendDict.backend`), so the cloud cannot be passed in: it is
a class attribute, set once when the process starts.
"""

from importlib import import_module
from typing import Any, ClassVar

from sandbox.aws.cloud import Cloud


class SandboxBackend:
    """Mixed into a subclass of a moto backend; set `MOTO_SERVICE` to the moto package's name."""

    MOTO_SERVICE: ClassVar[str] = ""
    cloud: ClassVar[Cloud]
    account_id: str
    region_name: str

    @property
    def _url_module(self) -> Any:
        """moto derives it from the class's module, which is ours now."""
        return import_module(f"moto.{self.MOTO_SERVICE}.urls")

    def place(self, name: str) -> tuple[str, str, str]:
        """The key in the table of pending changes of a thing called `name` here."""
        return self.account_id, self.region_name, name
