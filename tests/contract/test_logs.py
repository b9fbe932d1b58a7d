"""Pod logs: what the API server itself answers. What a node answers is tried with a node agent, in tests/cluster."""

from tests.contract.kube import Kube
from tests.contract.objects import container, pod


def test_a_pod_that_is_not_on_a_node_has_no_log_yet(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    response = kube.request("GET", kube.path("pods", "p", "log"))
    assert (response.status_code, response.text) == (204, "")


def test_logs_need_a_container_that_exists(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody", containers=[container(), container(name="second")]))
    status, body = kube.call("GET", kube.path("pods", "p", "log"))
    text = "a container name must be specified for pod p, choose one of: [main second]"
    assert (status, body["reason"], body["message"]) == (400, "BadRequest", text)
    status, body = kube.call("GET", kube.path("pods", "p", "log"), container="third")
    assert (status, body["message"]) == (400, "container third is not valid for pod p")


def test_logs_of_no_pod_are_not_found(kube: Kube) -> None:
    status, body = kube.call("GET", kube.path("pods", "none", "log"))
    assert (status, body["message"]) == (404, 'pods "none" not found')


def test_options_of_logs_are_checked(kube: Kube) -> None:
    kube.made("pods", pod("p", schedulerName="nobody"))
    status, body = kube.call("GET", kube.path("pods", "p", "log"), tailLines=-1)
    text = "tailLines: Invalid value: -1: must be greater than or equal to 0"
    assert (status, body["message"]) == (422, f'PodLogOptions "p" is invalid: {text}')
