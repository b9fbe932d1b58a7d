"""The nodes themselves, as the cluster sees them: EKS calls a group active before a larger one has all of its nodes."""

from typing import Any

from steps.clients.kubernetes import Kube
from steps.waiting import Pending

GROUP_LABEL = "eks.amazonaws.com/nodegroup"
SHOWN = 3


def await_ready_nodes(kube: Kube, group: str, count: int) -> dict[str, int] | Pending:
    """{nodes: how many} once the group has exactly so many nodes, all of them ready and open to pods."""
    found = kube.list("Node", labels={GROUP_LABEL: group})
    others = [str(node["metadata"]["name"]) for node in found if not _is_ready(node)]
    ready = len(found) - len(others)
    if not others and ready == count:
        return {"nodes": count}
    more = f"; not ready, or closed to pods: {', '.join(others[:SHOWN])}" if others else ""
    return Pending(f"{ready} nodes of the group {group} are ready, {count} are wanted{more}")


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    states = {one["type"]: one["status"] for one in conditions}
    return states.get("Ready") == "True" and not (node.get("spec") or {}).get("unschedulable")
