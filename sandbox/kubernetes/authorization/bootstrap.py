"""Puts the roles and bindings of every cluster (bootstrap.yaml) into the store."""

from pathlib import Path

import yaml

from sandbox.kubernetes.store import Object, Store

_GROUP = "rbac.authorization.k8s.io"
_FILE = Path(__file__).with_name("bootstrap.yaml")
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}


def bootstrap_roles(store: Store, manager: str) -> None:
    """What is there already stays as it is."""
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    for name, rules in content["roles"].items():
        _make(store, "clusterroles", name, {"rules": rules}, manager)
    for name, each in content["bindings"].items():
        reference = {"apiGroup": _GROUP, "kind": "ClusterRole", "name": each["role"]}
        subjects = [{"apiGroup": _GROUP, "kind": "Group", "name": group} for group in each["groups"]]
        _make(store, "clusterrolebindings", name, {"roleRef": reference, "subjects": subjects}, manager)


def _make(store: Store, plural: str, name: str, content: Object, manager: str) -> None:
    kind = f"{plural}.{_GROUP}"
    if store.peek(kind, None, name) is None:
        store.create(kind, {"metadata": {"name": name, "labels": _LABELS}} | content, field_manager=manager)
