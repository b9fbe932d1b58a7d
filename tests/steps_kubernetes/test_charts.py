"""Whose a release is, what goes into it, and what of a chart is read."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from sandbox.helm.archives import pack
from sandbox.helm.packages import VERSIONS
from steps import charts
from steps.chart_archives import definitions
from steps.chart_repositories import check_repository, in_clear
from steps.chart_table import CHARTS, Choice
from steps.chart_values import conflicts, merged, misshapen
from steps.clients.helm import Helm
from steps.clients.kubernetes import Kube
from steps.errors import Code, PodiumError
from steps.names import Owner
from steps.reporting import LONGEST_LINE, MOST_LINES, heard, report
from steps.waiting import Pending
from tests.steps_kubernetes.recorded_api import RecordedApi

SERVICE = "/api/v1/namespaces/ingress-nginx/services/ingress-nginx-controller"
RELEASE = "/api/v1/namespaces/kube-system/secrets/sh.helm.release.v1.sealed-secrets.v1"


def test_somebody_elses_release_is_left_alone(api: RecordedApi, kube: Kube, owner: Owner) -> None:
    labels = {"owner": "helm", "name": "sealed-secrets", "status": "deployed", "version": "1"}
    api.objects[RELEASE] = {"metadata": {"name": RELEASE.rpartition("/")[2], "labels": labels}}
    with pytest.raises(PodiumError) as caught:
        charts.ensure_release(kube, owner, "sealed-secrets", helm=Helm("/nowhere/helm"))
    charts.delete_release(kube, owner, Helm("/nowhere/helm"), "sealed-secrets")
    assert caught.value.code is Code.NAME_TAKEN
    assert "helm uninstall sealed-secrets -n kube-system" in caught.value.remedy
    assert RELEASE in api.objects


@pytest.mark.parametrize(
    ("given", "port"),
    [
        ({"hostname": "x.elb.amazonaws.com"}, 80),
        ({"hostname": "localhost", "ports": [{"port": 41235, "protocol": "TCP"}]}, 41235),
    ],
)
def test_the_load_balancer_is_told_by_name_and_port(
    api: RecordedApi, kube: Kube, given: dict[str, object], port: int
) -> None:
    service = {"spec": {"ports": [{"port": 80}, {"port": 443}]}, "status": {"loadBalancer": {}}}
    api.objects[SERVICE] = service
    assert isinstance(charts.await_load_balancer(kube), Pending)
    api.objects[SERVICE] = service | {"status": {"loadBalancer": {"ingress": [given]}}}
    found = charts.await_load_balancer(kube)
    assert found == {"load_balancer_host": given["hostname"], "load_balancer_port": port}


def test_the_sandbox_packs_the_versions_that_podium_pins() -> None:
    assert {name: chart.version for name, chart in CHARTS.items()} == VERSIONS


@pytest.mark.parametrize("chart", CHARTS.values(), ids=lambda chart: str(chart.name))
def test_podiums_own_values_keep_to_what_it_relies_on(chart: Any) -> None:
    assert conflicts(chart, chart.values) == []


def test_given_values_go_over_podiums_own_and_change_neither() -> None:
    own = CHARTS["ingress-nginx"].values
    given = {"controller": {"service": {"annotations": {"team": "payments"}}, "tolerations": [{"key": "a"}]}}
    both = merged(own, given)
    assert both["controller"]["service"] == {
        "type": "LoadBalancer",
        "annotations": {charts.ELB_IDLE_TIMEOUT: "3600", "team": "payments"},
    }
    both["controller"]["tolerations"][0]["key"] = "b"
    assert given["controller"]["tolerations"] == [{"key": "a"}]
    assert "tolerations" not in own["controller"]


@pytest.mark.parametrize(
    ("chart", "given", "words"),
    [
        ("keda", {"operator": {"name": "x"}}, 'operator.name must stay "keda-operator"'),
        ("keda", {"webhooks": {"enabled": 1}}, "webhooks.enabled must stay true"),
        ("keda", {"crds": {"additionalAnnotations": {"helm.sh/resource-policy": "delete"}}}, 'must stay "keep"'),
        ("keda", {"crds": None}, "crds must be a mapping"),
        ("sealed-secrets", {"fullnameOverride": None}, 'fullnameOverride must stay "sealed-secrets"'),
        ("ingress-nginx", {"controller": {"kind": "DaemonSet"}}, 'controller.kind must stay "Deployment"'),
    ],
)
def test_values_that_would_break_the_installation_are_named(chart: str, given: dict[str, Any], words: str) -> None:
    [found] = conflicts(CHARTS[chart], given)
    assert words in found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"a": "x" * 70_000}, "longer than 64 KiB"),
        ({"": 1}, "empty"),
        ({"a": ["\x1b[2J"]}, "control characters"),
        ({"a": float("nan")}, "JSON does not know"),
        ({"a\x00b": 1}, "control characters"),
    ],
)
def test_values_that_are_no_values_file_are_refused(given: dict[str, Any], words: str) -> None:
    assert words in str(misshapen(given))


def test_values_nested_too_deep_are_refused_and_others_not() -> None:
    given: dict[str, Any] = {}
    for _ in range(19):
        given = {"a": given}
    assert misshapen(given | {"text": "é\U0001f600\tok\n"}) is None
    assert "deeper than 20" in str(misshapen({"a": {"a": given}}))


@pytest.mark.parametrize(
    "url",
    [
        "https://charts.example.com",
        "https://charts.example.com:8443/a/b_c/~d/",
        "oci://123456789012.dkr.ecr.us-west-2.amazonaws.com/charts",
        "http://127.0.0.1:8080/charts",
        "http://localhost:8080",
        "oci://localhost:5000/charts",
        "http://[::1]:80",
    ],
)
def test_a_repository_may_be_https_oci_or_on_this_machine(url: str) -> None:
    check_repository(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("bitnami/sealed-secrets", "begin with https:// or oci://"),
        ("file:///etc/charts", "begin with https:// or oci://"),
        ("https://robot:canary@charts.example.com", "username or password; put them into AWS Secrets Manager"),
        ("https://canary@charts.example.com", "username or password"),
        ("https://charts.example.com/?token=canary", "from ? or # on"),
        ("https://charts.example.com/#", "from ? or # on"),
        ("http://charts.example.com", "not encrypted"),
        ("http://127.0.0.1.example.com", "not encrypted"),
        ("https://", "no proper host"),
        ("https://charts.example.com:port", "not a URL"),
        ("https://--version/x", "no proper host"),
        ("oci://registry.example.com/Charts", "path"),
        ("https://charts.example.com/a b", "path"),
        ("https://charts.example.com/../x", "path"),
    ],
)
def test_any_other_repository_is_refused_without_repeating_it(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|must|has) ") as caught:
        check_repository(url)
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)


def test_only_a_registry_on_this_machine_is_asked_in_clear() -> None:
    assert in_clear("oci://127.0.0.1:5000/charts")
    assert not in_clear("oci://registry.example.com/charts")
    assert not in_clear("http://127.0.0.1:5000/charts")


def test_each_definition_of_a_chart_and_of_those_inside_it_is_read(tmp_path: Path) -> None:
    def definition(name: str) -> str:
        return f"kind: CustomResourceDefinition\nmetadata: {{name: {name}}}"

    files = {
        "Chart.yaml": "name: c",
        "crds/a.yaml": definition("a"),
        "crds/more/b.yml": f"{definition('b')}\n---\n{definition('c')}",
        "charts/inner/crds/d.yaml": definition("d"),
        "templates/crds/e.yaml": definition("e"),
        "crds/readme.md": "kind: CustomResourceDefinition",
        "crds/other.yaml": "kind: ConfigMap",
    }
    archive = tmp_path / "c-1.0.0.tgz"
    archive.write_bytes(pack("c", files))
    assert sorted(each["metadata"]["name"] for each in definitions(archive)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "data",
    [b"<html>", gzip.compress(b"no archive" * 100), pack("c", {"Chart.yaml": "", "crds/a.yaml": "a: ["})],
    ids=["no gzip", "no archive", "no YAML"],
)
def test_a_chart_that_cannot_be_read_is_not_tried_again(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "c-1.0.0.tgz").write_bytes(data)
    with pytest.raises(PodiumError, match="cannot be read") as caught:
        definitions(tmp_path / "c-1.0.0.tgz")
    assert caught.value.code is Code.HELM_FAILED


def test_credentials_need_a_store(kube: Kube, owner: Owner) -> None:
    choice = Choice(credentials={"secret": "prod/charts"})
    with pytest.raises(ValueError, match="aws is needed"):
        charts.ensure_release(kube, owner, "keda", choice, helm=Helm("/nowhere/helm"))


def test_what_is_reported_is_scrubbed_and_bounded() -> None:
    report(["nobody listens"])
    with heard() as lines:
        report(["password: canary", "", "x" * 1000])
        report(f"line {number}" for number in range(100))
    assert lines[:2] == ["password: [hidden]", "x" * LONGEST_LINE]
    assert len(lines) == MOST_LINES
