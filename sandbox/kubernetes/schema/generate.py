"""Writes builtin.json, the field table of the built-in types, from the models of the official Python client.

Run `python -m sandbox.kubernetes.schema.generate` after raising the client's version. The server itself reads only the
JSON: importing the client's 700 models would take a second of every start.

Type expressions: `str int float bool date any quantity`, `V1Pod` (a type of the table), `[T]` (list), `{T}` (map).
"""

import json
import re
from typing import Any

from sandbox.kubernetes.resources import BUILT_IN
from sandbox.kubernetes.schema.builtin import TABLE

_PLAIN = {"str": "str", "int": "int", "float": "float", "bool": "bool", "datetime": "date", "object": "any"}
_QUANTITIES = {
    "V1ResourceRequirements": ("limits", "requests"),
    "V1VolumeResourceRequirements": ("limits", "requests"),
    "V1NodeStatus": ("capacity", "allocatable"),
    "V1PersistentVolumeSpec": ("capacity",),
    "V1PersistentVolumeClaimStatus": ("capacity", "allocatedResources"),
    "V1ResourceQuotaSpec": ("hard",),
    "V1ResourceQuotaStatus": ("hard", "used"),
    "V1LimitRangeItem": ("default", "defaultRequest", "max", "maxLimitRequestRatio", "min"),
    "V1ContainerStatus": ("allocatedResources",),
    "V1PodSpec": ("overhead",),
    "V1EmptyDirVolumeSource": ("sizeLimit",),
    "V1ResourceFieldSelector": ("divisor",),
    "V2MetricTarget": ("averageValue", "value"),
    "V2MetricValueStatus": ("averageValue", "value"),
}
_ROOTS = {
    "events": "CoreV1Event",
    "horizontalpodautoscalers.autoscaling": "V2HorizontalPodAutoscaler",
}


def _expression(text: str) -> str:
    """`Dict[str, List[V1Foo]]` -> `{[V1Foo]}`."""
    listed = re.fullmatch(r"[Ll]ist\[(.+)\]", text)
    if listed:
        return f"[{_expression(listed[1])}]"
    mapped = re.fullmatch(r"[Dd]ict[\[(]str, (.+)[\])]", text)
    if mapped:
        return "{" + _expression(mapped[1]) + "}"
    return _PLAIN.get(text, text)


def _fields(models: Any, name: str) -> dict[str, str]:
    model = getattr(models, name)
    fields = {model.attribute_map[key]: _expression(text) for key, text in model.openapi_types.items()}
    for field in _QUANTITIES.get(name, ()):
        fields[field] = fields[field].replace("str", "quantity")
    return fields


def main() -> None:
    """Collects every type reachable from the served resources."""
    from kubernetes.client import models  # noqa: PLC0415 (the import is what the table saves the server)

    roots = {resource.key: _ROOTS.get(resource.key, f"V1{resource.kind}") for resource in BUILT_IN}
    types: dict[str, dict[str, str]] = {}
    pending = list(roots.values())
    while pending:
        name = pending.pop()
        if name not in types:
            types[name] = _fields(models, name)
            pending += [found for text in types[name].values() for found in re.findall(r"[A-Z]\w+", text)]
    TABLE.write_text(json.dumps({"roots": roots, "types": dict(sorted(types.items()))}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
