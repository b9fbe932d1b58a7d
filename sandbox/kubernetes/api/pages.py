"""Lists in pages: which entries a list shows, and the token that goes on with it.

All pages show the moment of the first one: the server remembers the entries of lists under way. When it has forgotten
them (or was restarted) and something changed since, the answer is 410 with a token for the present, as after a
compaction of etcd. Source: k8s.io/apiserver/pkg/storage/continue.go, etcd3/errors.go.
"""

import base64
import json
from typing import Any

from sandbox.kubernetes.api.context import Call
from sandbox.kubernetes.entry import Entry
from sandbox.kubernetes.errors import BadRequest, Gone, Invalid, Timeout, Unclassified, forbidden, invalid, unsupported
from sandbox.kubernetes.selectors import Matcher, field_matcher, label_matcher

_REMEMBERED = 64  # lists under way
_VERSION = "meta.k8s.io/v1"
_MATCHES = ("Exact", "NotOlderThan", "")
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


def matcher(call: Call) -> Matcher:
    """What labelSelector, fieldSelector and the path's name ask for."""
    tests = []
    if call.query.get("labelSelector"):
        tests.append(label_matcher(call.query["labelSelector"]))
    if call.query.get("fieldSelector"):
        tests.append(field_matcher(call.resource.key, call.query["fieldSelector"]))
    if call.target.name:
        tests.append(lambda obj: obj["metadata"]["name"] == call.name)
    return lambda obj: all(test(obj) for test in tests)


def check_list_options(call: Call) -> None:
    """The query parameters of a list; raises BadRequest or Invalid."""
    for name in ("limit", "timeoutSeconds"):
        call.integer(name)
    revision, match = call.query.get("resourceVersion", ""), call.query.get("resourceVersionMatch", "")
    watching = call.flag("watch")
    if match and not revision and not watching:
        text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise _invalid([forbidden("resourceVersionMatch", text)])
    if match not in _MATCHES:
        raise _invalid([unsupported("resourceVersionMatch", match, list(_MATCHES))])
    if revision and not revision.isdigit():
        text = f"strconv.ParseUint: parsing {json.dumps(revision)}: invalid syntax"
        text = f"resourceVersion: {invalid('', revision, text).message}"
        raise Unclassified(text) if watching else BadRequest(f"invalid resource version: {text}")
    if match == "Exact" and revision == "0":
        text = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        raise _invalid([forbidden("resourceVersionMatch", text)])


def _invalid(causes: list[Any]) -> Invalid:
    return Invalid("ListOptions.meta.k8s.io", "", causes)


def page(call: Call, meta: dict[str, Any]) -> list[Entry]:
    """The entries to show, in the order of namespace and name; fills in the list's metadata."""
    token, limit = call.query.get("continue"), call.integer("limit") or 0
    if token and call.query.get("resourceVersion", "0") != "0":
        raise BadRequest("specifying resource version is not allowed when using continue")
    if token:
        revision, start = read_token(token)
        entries = [each for each in _remembered(call, revision, start) if _after(each, start)]
    else:
        revision = _asked_revision(call)
        entries = call.store.entries(call.resource.key, call.namespace)
    meta["resourceVersion"] = str(revision)
    if call.resource.custom:
        meta["continue"] = ""  # what unstructured lists always show
    return _shortened(call, entries, limit, revision, meta)


def _asked_revision(call: Call) -> int:
    """The moment to show, which is the present one or one like it; raises Gone or Timeout."""
    asked, now = int(call.query.get("resourceVersion") or 0), call.store.revision
    if asked > now:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        message = f"Too large resource version: {asked}, current: {now}"
        raise Timeout(message, details={"causes": [cause], "retryAfterSeconds": 1})
    if call.query.get("resourceVersionMatch") == "Exact":
        if call.store.changed_since(call.resource.key, asked):
            raise Gone("The resourceVersion for the provided list is too old.")
        return asked
    return now


def _shortened(call: Call, entries: list[Entry], limit: int, revision: int, meta: dict[str, Any]) -> list[Entry]:
    """At most `limit` entries that match; the rest is for the next page."""
    matches = matcher(call)
    shown: list[Entry] = []
    for index, entry in enumerate(entries):
        if limit and len(shown) == limit:
            last = entries[index - 1]
            meta["continue"] = write_token(revision, last.key)
            if not call.query.get("labelSelector") and not call.query.get("fieldSelector"):
                meta["remainingItemCount"] = len(entries) - index
            _remember(call, revision, entries)
            break
        if matches(entry.object):
            shown.append(entry)
    return shown


def _remember(call: Call, revision: int, entries: list[Entry]) -> None:
    key = (f"{call.resource.key}/{call.namespace or ''}", revision)
    lists = call.server.lists
    lists.setdefault(key, entries)
    lists.move_to_end(key)
    while len(lists) > _REMEMBERED:
        lists.popitem(last=False)


def _remembered(call: Call, revision: int, start: tuple[str, str]) -> list[Entry]:
    found = call.server.lists.get((f"{call.resource.key}/{call.namespace or ''}", revision))
    if found is not None:
        return found
    if call.store.changed_since(call.resource.key, revision):
        error = Gone(_TOO_OLD)
        error.metadata = {"continue": write_token(call.store.revision, start)}
        raise error
    return call.store.entries(call.resource.key, call.namespace)


def _after(entry: Entry, start: tuple[str, str]) -> bool:
    return entry.key > start


def write_token(revision: int, last: tuple[str, str]) -> str:
    """The token that continues after the object `last` (namespace, name)."""
    start = "/".join(part for part in last if part) + "\0"
    body = json.dumps({"v": _VERSION, "rv": revision, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def read_token(token: str) -> tuple[int, tuple[str, str]]:
    """The revision and the last object shown; raises BadRequest."""
    try:
        body = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, _, name = body["start"].rstrip("\0").rpartition("/")
        return int(body["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(f"invalid continue token: continue key is not valid: {error}") from error
