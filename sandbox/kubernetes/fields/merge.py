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


def without(value: Any, tree: FieldSet, kept: FieldSet, shape: Shape) -> Any:
    """`value` without the members of `tree`, except where `kept` (what others own) has members.

    None when nothing stays. An entry of a keyed list that stays for the sake of others' fields keeps its key fields.
    """
    if "." in tree and not kept:
        return None
    if is_map(value, shape):
        return _without_fields(value, tree, kept, shape)
    if is_keyed(value, shape):
        return _without_items(value, tree, kept, shape)
    return None if "." in tree and "." not in kept else value


def _without_fields(value: dict[str, Any], tree: FieldSet, kept: FieldSet, shape: Shape) -> Any:
    result = {}
    for key, item in value.items():
        element = "f:" + key
        rest = item
        if element in tree:
            rest = without(item, tree[element], kept.get(element, {}), shape.child(key))
        if rest is not None:
            result[key] = rest
    return result if result or not value or "." in kept else None


def _without_items(value: list[Any], tree: FieldSet, kept: FieldSet, shape: Shape) -> Any:
    inner = shape.item()
    result = []
    for item in value:
        element = item_key(item, shape)
        rest = item
        if element in tree:
            rest = without(item, tree[element], kept.get(element, {}), inner)
        if rest is not None:
            keys = {key: item[key] for key in shape.keys if key in item} if isinstance(rest, dict) else {}
            result.append(keys | rest if keys else rest)
    return result if result or not value or "." in kept else None
