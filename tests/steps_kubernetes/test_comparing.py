"""Field by field: what counts as a difference, how it is called, and what of it is shown."""

from typing import Any

import pytest

from steps.comparing import differing, differing_values
from steps.scrubbing import HIDDEN

DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "app", "labels": {"app.kubernetes.io/name": "a"}, "generation": 3, "uid": "1"},
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "containers": [
                    {"name": "app", "image": "app:1", "env": [{"name": "MODE", "value": "fast"}]},
                    {"name": "side", "image": "side:1"},
                ]
            }
        },
    },
    "status": {"replicas": 2},
}


def copy(**parts: Any) -> dict[str, Any]:
    return DEPLOYMENT | parts


def containers(*wanted: dict[str, Any]) -> dict[str, Any]:
    return {"replicas": 2, "template": {"spec": {"containers": list(wanted)}}}


def test_what_the_api_server_keeps_is_no_difference() -> None:
    metadata = DEPLOYMENT["metadata"] | {
        "generation": 4,
        "uid": "2",
        "resourceVersion": "9",
        "managedFields": [{}],
        "annotations": {"deployment.kubernetes.io/revision": "7"},
    }
    live = copy(metadata=metadata, status={"replicas": 0})
    live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "8"
    assert differing(live, copy(metadata=metadata | {"annotations": {}})) == []


def test_a_field_is_told_by_its_path_with_both_values() -> None:
    (found,) = differing(copy(spec=DEPLOYMENT["spec"] | {"replicas": 5}), DEPLOYMENT)
    assert (found.path, found.expected, found.found) == ("spec.replicas", 2, 5)


def test_entries_of_a_list_are_told_apart_by_name_wherever_they_stand() -> None:
    app, side = DEPLOYMENT["spec"]["template"]["spec"]["containers"]
    assert differing(copy(spec=containers(side, app)), DEPLOYMENT) == []
    (found,) = differing(copy(spec=containers(app | {"image": "app:2"}, side)), DEPLOYMENT)
    assert (found.path, found.expected, found.found) == (
        *("spec.template.spec.containers[app].image", "app:1"),
        "app:2",
    )
    (found,) = differing(copy(spec=containers(app)), DEPLOYMENT)
    assert (found.path, found.expected, found.found) == ("spec.template.spec.containers[side]", side, None)


def test_a_key_that_is_no_plain_word_is_quoted() -> None:
    live = copy(metadata=DEPLOYMENT["metadata"] | {"labels": {"app.kubernetes.io/name": "b"}})
    assert [one.path for one in differing(live, DEPLOYMENT)] == ["metadata.labels['app.kubernetes.io/name']"]


def test_what_controllers_write_into_a_chart_is_no_difference() -> None:
    hook = {"kind": "ValidatingWebhookConfiguration", "metadata": {}, "webhooks": [{"name": "a", "clientConfig": {}}]}
    live = hook | {"webhooks": [{"name": "a", "clientConfig": {"caBundle": "QQ=="}}]}
    assert differing(live, hook) == []


@pytest.mark.parametrize(
    "part",
    [{"data": {"key": "Y2FuYXJ5"}}, {"stringData": {"key": "canary"}}, {"spec": {"encryptedData": {"key": "canary"}}}],
)
def test_values_of_secrets_are_never_shown(part: dict[str, Any]) -> None:
    kind = "SealedSecret" if "spec" in part else "Secret"
    (found, *rest) = differing({"kind": kind, "metadata": {}} | part, {"kind": kind, "metadata": {}})
    assert (found.expected, found.found, rest) == (None, HIDDEN, [])


def test_what_looks_like_a_secret_is_hidden_anywhere_else() -> None:
    app, side = DEPLOYMENT["spec"]["template"]["spec"]["containers"]
    extra = [{"name": "DB_PASSWORD", "value": "canary"}, {"name": "URL", "value": "postgres://u:canary@h/d"}]
    live = copy(spec=containers(app | {"env": app["env"] + extra}, side))
    assert "canary" not in repr(differing(live, DEPLOYMENT))
    assert "canary" not in repr(differing_values("values", {"adminPassword": "x", "url": "a://u:canary@h"}, {}))
