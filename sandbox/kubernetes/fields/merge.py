"""Merging an applied configuration into a live value, and taking fields out of a value again."""

from typing import Any

from sandbox.kubernetes.fields.fieldset import FieldSet, is_keyed, is_map, item_key, keyed
from sandbox.kubernetes.fields.shape import Shape


def merge(live: Any, config: Any, shape: Shape) -> Any:
    """`live` with every field of `config`; maps and keyed lists merge, everything else is replaced. Changes neither."""
    if is_map(live, shape) and is_map(config, shape):
        merged = dict(live)
        for key, value in config.items():
            merged[key] = merge(live[key], value, shape.child(key)) if key in live else value
        return merged
    if is_keyed(live, shape) and is_keyed(config, shape):
        return _merge_lists(live, config, shape)
    return config


def _merge_lists(live: list[Any], config: list[Any], shape: Shape) -> list[Any]:
    """Live order first, then what is new."""
    wanted = keyed(config, shape)
    inner = shape.item()
    merged = []
    for item in live:
        found = wanted.pop(item_key(item, shape), None)
        merged.append(item if found is None else merge(item, found, inner))
    return merged + list(wanted.values())


def remove(value: Any, tree: FieldSet, shape: Shape) -> Any:
    """`value` without the members of `tree` and what is in them; None when nothing is left of a map or list."""
    if is_map(value, shape):
        fields = {key: _rest(item, tree.get("f:" + key), shape.child(key)) for key, item in value.items()}
        return {key: item for key, item in fields.items() if item is not None} or None
    if is_keyed(value, shape):
        inner = shape.item()
        items = [_rest(item, tree.get(item_key(item, shape)), inner) for item in value]
        return [item for item in items if item is not None] or None
    return value


def _rest(item: Any, tree: FieldSet | None, shape: Shape) -> Any:
    if tree is None:
        return item
    return None if "." in tree else remove(item, tree, shape)
