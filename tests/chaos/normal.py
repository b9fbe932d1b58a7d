"""The normal form in which two runs are compared: what AWS, Kubernetes and chance make up anew each time is a word
that says what it is. Ids of things become names by their tags, so that relations are compared too.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

EC2_ID = re.compile(
    r"\b(?:vpc|subnet|igw|nat|eipalloc|eipassoc|rtb|rtbassoc|sg|sgr|eni|eni-attach|i|vol|acl|ami|dopt|lt)-[0-9a-f]{6,32}\b"
)
WORDS = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"(?<=:secret:)([\w/!<>-]+)-[A-Za-z0-9]{6}\b"), r"\1-<suffix>"),
    (re.compile(r"\bA(?:RO|ID|KI|NP|IP)A[A-Z0-9]{12,17}\b"), "<iam-id>"),
    (re.compile(r"\b[0-9A-F]{32}\b"), "<issuer>"),
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "<hex>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|\+00:00)?"), "<time>"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?!\.|\d|/)"), "<address>"),
    (re.compile(r"(?<=127\.0\.0\.1):\d+|(?<=<address>):\d+|(?<=localhost):\d+"), ":<port>"),
    (re.compile(r"\bvpc-cidr-assoc-[0-9a-f]{8,32}\b"), "<vpc-cidr-assoc>"),
    (re.compile(r"(?<=eks-cluster-sg-)([\w-]+)-\d{6,12}\b"), r"\1-<number>"),
    (re.compile(r"(?<=-final-)[0-9a-f]{12}\b"), "<operation>"),
    (re.compile(r"(?<=-migrate-)[0-9a-f]{8}\b"), "<operation>"),
    (re.compile(r"\bip-\d+-\d+-\d+-\d+\b"), "<host>"),
)
_NAMING_TAGS = ("podium:resource", "Name", "aws:eks:cluster-name", "kubernetes.io/service-name")


class Ids:
    """Names for ids, learnt from the things that carry them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def learn(self, things: Iterable[Mapping[str, Any]], id_key: str, *more: str) -> None:
        """`more`: keys that tell those of one tag apart, e.g. a subnet's block."""
        for thing in things:
            tags = {tag["Key"]: tag["Value"] for tag in thing.get("Tags", thing.get("TagSet", ()))}
            name = next((tags[key] for key in _NAMING_TAGS if key in tags), "-")
            told = " ".join([name, *(str(thing.get(key)) for key in more)])
            self._names[thing[id_key]] = f"<{thing[id_key].partition('-')[0]} {told}>"

    def name(self, found: re.Match[str]) -> str:
        identifier = found.group()
        return self._names.get(identifier, f"<{identifier.rpartition('-')[0]}>")


def normal(value: Any, ids: Ids, *, without: frozenset[str] = frozenset()) -> Any:
    """Without the keys of `without` and without what is empty; lists sorted; texts in words."""
    if isinstance(value, Mapping):
        made = {key: normal(one, ids, without=without) for key, one in value.items() if key not in without}
        return {in_words(str(key), ids): one for key, one in sorted(made.items()) if one not in (None, [], {}, "")}
    if isinstance(value, list | tuple | set):
        return sorted(
            (normal(one, ids, without=without) for one in value), key=lambda one: json.dumps(one, sort_keys=True)
        )
    if isinstance(value, datetime):
        return None
    return in_words(value, ids) if isinstance(value, str) else value


def in_words(text: str, ids: Ids) -> str:
    text = EC2_ID.sub(ids.name, text)
    for pattern, word in WORDS:
        text = pattern.sub(word, text)
    return text


def lines(picture: Mapping[str, Any]) -> list[str]:
    """One line per thing, so that a difference shows what it is."""
    return sorted(
        f"{kind}: {json.dumps(thing, sort_keys=True)}" for kind, things in picture.items() for thing in things
    )
