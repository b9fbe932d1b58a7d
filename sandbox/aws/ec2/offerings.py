"""Which instance types a region offers, read when somebody asks.

Gap: moto reads the offerings of all regions and zones while it is imported, which takes a third of a second and 48 MB.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import moto.utilities.utils as moto_utils

FOLDER = "ec2/resources/instance_type_offerings"


class _Regions(dict[str, list[dict[str, Any]]]):
    """Offerings by region, of one location type: `region`, `availability-zone` or `availability-zone-id`."""

    def __init__(self, location_type: str) -> None:
        super().__init__()
        self._location_type = location_type

    def __missing__(self, region: str) -> list[dict[str, Any]]:
        try:
            found = moto_utils.load_resource(f"{FOLDER}/{self._location_type}/{region}.json")
        except FileNotFoundError:
            found = []
        self[region] = [item | {"LocationType": self._location_type} for item in found]
        return self[region]

    def get(self, region: str, default: Any = None) -> Any:
        return self[region] or default


@contextmanager
def deferred() -> Iterator[None]:
    """Import moto's EC2 inside this."""
    load = moto_utils.load_resource
    moto_utils.load_resource = lambda path: [] if path.startswith(FOLDER) else load(path)
    try:
        yield
        from moto.ec2.models import instance_types  # noqa: PLC0415

        for location_type in list(instance_types.INSTANCE_TYPE_OFFERINGS):
            instance_types.INSTANCE_TYPE_OFFERINGS[location_type] = _Regions(location_type)
    finally:
        moto_utils.load_resource = load
