"""Whether an uninstall finds a way into the cluster, and what it says when it does not."""

from typing import Any

import pytest

from steps import survey
from steps.clients.kubernetes import Kube
from steps.errors import Code, PodiumError
from tests.steps_kubernetes.recorded_api import RecordedApi

ASKED = "GET /api/v1/namespaces/kube-system"
NO_WAY = [(403, Code.KUBERNETES_ACCESS_DENIED), (503, Code.KUBERNETES_UNAVAILABLE)]


def refusal(code: int) -> dict[str, Any]:
    return {"kind": "Status", "status": "Failure", "code": code, "message": "not you, not now"}


def test_a_cluster_that_answers_is_reached_whatever_force_says(api: RecordedApi, kube: Kube) -> None:
    api.answer(ASKED, 200, {"kind": "Namespace"})
    assert survey.reach(kube, force=False)
    assert survey.reach(kube, force=True)


@pytest.mark.parametrize(("answered", "code"), NO_WAY)
def test_without_a_way_in_the_remedy_names_force(api: RecordedApi, kube: Kube, answered: int, code: Code) -> None:
    api.answer(ASKED, answered, refusal(answered))
    with pytest.raises(PodiumError) as caught:
        survey.reach(kube, force=False)
    assert caught.value.code is code
    assert caught.value.remedy.endswith(survey.WITHOUT)


@pytest.mark.parametrize("answered", [one for one, _ in NO_WAY])
def test_without_a_way_in_force_goes_on_without_it(api: RecordedApi, kube: Kube, answered: int) -> None:
    api.answer(ASKED, answered, refusal(answered))
    assert not survey.reach(kube, force=True)


def test_what_has_nothing_to_do_with_the_way_in_is_not_forced(api: RecordedApi, kube: Kube) -> None:
    api.answer(ASKED, 422, refusal(422))
    with pytest.raises(PodiumError) as caught:
        survey.reach(kube, force=True)
    assert caught.value.code is Code.KUBERNETES_REJECTED
    assert survey.WITHOUT not in caught.value.remedy
