"""The RBAC authorizer: the rules that a caller has by roles and bindings, and the guard against escalation.

Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac and pkg/registry/rbac/{role,rolebinding}/policybased.
"""

from collections.abc import Iterator

from sandbox.kubernetes.authorization.rules import Attributes, Rule, allows, shown, uncovered
from sandbox.kubernetes.errors import Forbidden, NotFound, split_kind
from sandbox.kubernetes.identity import Identity
from sandbox.kubernetes.selectors import selector_matches
from sandbox.kubernetes.store import Object, Store

MASTERS = "system:masters"
_GROUP = "rbac.authorization.k8s.io"
_ROLES, _CLUSTER_ROLES = f"roles.{_GROUP}", f"clusterroles.{_GROUP}"
_BINDINGS, _CLUSTER_BINDINGS = f"rolebindings.{_GROUP}", f"clusterrolebindings.{_GROUP}"
GUARDED = (_ROLES, _CLUSTER_ROLES, _BINDINGS, _CLUSTER_BINDINGS)


class Authorizer:
    """Decides by what is stored at the moment."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def allowed(self, who: Identity, asked: Attributes) -> bool:
        """Whether the caller may."""
        return MASTERS in who.groups or any(allows(rule, asked) for rule in self.rules(who, asked.namespace))

    def reason(self, who: Identity, asked: Attributes) -> str:
        """By what the caller may, as access reviews tell it; empty when it may not."""
        for binding in self._bindings(asked.namespace):
            role = binding["roleRef"]
            for subject in binding.get("subjects") or []:
                granted = _is_subject(subject, who, asked.namespace)
                if granted and any(allows(rule, asked) for rule in self.rules_of(role, asked.namespace)):
                    meta, kind = binding["metadata"], binding["kind"]
                    place = f"{meta['name']}/{meta['namespace']}" if "namespace" in meta else meta["name"]
                    to = f'{subject["kind"]} "{_subject_name(subject)}"'
                    return f'RBAC: allowed by {kind} "{place}" of {role["kind"]} "{role["name"]}" to {to}'
        return ""

    def require(self, who: Identity, asked: Attributes) -> None:
        """Raises Forbidden in the API server's words."""
        if self.allowed(who, asked):
            return
        if asked.path:
            error = Forbidden("", "", "")
            error.message = f'forbidden: User "{who.name}" cannot {asked.verb} path "{asked.path}"'
            error.details = {}
            raise error
        place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        what = f'cannot {asked.verb} resource "{asked.resource}" in API group "{asked.group}" {place}'
        plural = asked.resource.partition("/")[0]
        kind = f"{plural}.{asked.group}" if asked.group else plural
        raise Forbidden(kind, asked.name, f'User "{who.name}" {what}')

    def rules(self, who: Identity, namespace: str) -> list[Rule]:
        """All rules that hold for the caller in a namespace, or cluster-wide when it is empty."""
        found: list[Rule] = []
        for binding in self._bindings(namespace):
            if any(_is_subject(each, who, namespace) for each in binding.get("subjects") or []):
                found += self.rules_of(binding["roleRef"], namespace)
        return found

    def _bindings(self, namespace: str) -> Iterator[Object]:
        yield from (entry.object for entry in self._store.entries(_CLUSTER_BINDINGS))
        if namespace:
            yield from (entry.object for entry in self._store.entries(_BINDINGS, namespace))

    def rules_of(self, reference: Object, namespace: str) -> list[Rule]:
        """The rules of the role that a binding refers to; none when it is not there."""
        if reference.get("kind") == "Role":
            role = self._store.peek(_ROLES, namespace, reference["name"])
        else:
            role = self._store.peek(_CLUSTER_ROLES, None, reference["name"])
        return self._own_rules(role) if role else []

    def _existing(self, kind: str, reference: Object, namespace: str) -> list[Rule]:
        """As `rules_of`; raises NotFound when the role is not there, as for whoever may not bind it."""
        key, place = (_ROLES, namespace) if reference["kind"] == "Role" else (_CLUSTER_ROLES, None)
        if self._store.peek(key, place, reference["name"]) is None:
            raise NotFound(kind, reference["name"])
        return self.rules_of(reference, namespace)

    def _own_rules(self, role: Object) -> list[Rule]:
        selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
        if not selectors:
            return list(role.get("rules") or [])
        chosen = (
            entry.object
            for entry in self._store.entries(_CLUSTER_ROLES)
            if any(selector_matches(each, entry.labels) for each in selectors)
        )
        return list(role.get("rules") or []) + [rule for each in chosen for rule in self._own_rules(each)]

    def guard(self, who: Identity, kind: str, new: Object, old: Object | None) -> None:
        """Nobody may grant more than they have, unless they may `escalate` or `bind`; raises Forbidden."""
        if MASTERS in who.groups or kind not in GUARDED:
            return
        meta = new["metadata"]
        namespace = meta.get("namespace", "")
        if kind in (_ROLES, _CLUSTER_ROLES):
            unchanged = old is not None and old.get("rules") == new.get("rules")
            wanted, verb, resource, name = new.get("rules") or [], "escalate", split_kind(kind)[0], meta["name"]
        else:
            reference = new["roleRef"]
            unchanged = old is not None and (old["roleRef"], old.get("subjects")) == (reference, new.get("subjects"))
            wanted, verb, name = self._existing(kind, reference, namespace), "bind", reference["name"]
            resource = "roles" if reference["kind"] == "Role" else "clusterroles"
        if unchanged or self.allowed(who, Attributes(verb, _GROUP, resource, namespace, name)):
            return
        missing = uncovered(self.rules(who, namespace), wanted)
        if missing:
            groups = " ".join(f'"{group}"' for group in who.groups)
            listed = "\n".join(shown(rule) for rule in missing)
            text = "is attempting to grant RBAC permissions not currently held"
            raise Forbidden(kind, meta["name"], f'user "{who.name}" (groups=[{groups}]) {text}:\n{listed}')


def _subject_name(subject: Object) -> str:
    namespace = subject.get("namespace")
    return f"{subject['name']}/{namespace}" if namespace else str(subject["name"])


def _is_subject(subject: Object, who: Identity, namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name")
    if kind == "Group":
        return name in who.groups
    if kind == "ServiceAccount":
        return who.name == f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"
    return kind == "User" and name == who.name
