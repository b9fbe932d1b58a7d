"""Which charts there are, and what their values do."""

from pathlib import Path

import pytest
import yaml

from sandbox.helm.sources import REPOSITORIES, find_chart
from sandbox.helm.kube import KINDS
from sandbox.helm.rendering import Target
from sandbox.helm.values import merge_values
from tests.sandbox.helm.command import INGRESS_NGINX, SEALED_SECRETS, HelmFailure, run

CHARTS = [(name, repository) for repository, names in REPOSITORIES.items() for name in names]


def _render(chart: tuple[str, str], release: str, *settings: str) -> dict[tuple[str, str], dict[str, object]]:
    found = find_chart(*chart, "1.2.3")
    objects = found.render(Target(release, "somewhere"), merge_values([], list(settings)))
    return {(obj["kind"], obj["metadata"]["name"]): obj for obj in objects}


@pytest.mark.parametrize("chart", CHARTS)
def test_every_object_of_every_chart_is_of_a_known_kind_and_placed(chart: tuple[str, str]) -> None:
    for (kind, _), obj in _render(chart, chart[0]).items():
        metadata = obj["metadata"]
        assert isinstance(metadata, dict)
        assert metadata.get("namespace", "") == ("somewhere" if KINDS[kind][2] else "")
        assert metadata["labels"]["app.kubernetes.io/instance"] == chart[0]


def test_ingress_nginx_honours_the_service_and_the_class(tmp_path: Path) -> None:
    idle = "service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout"
    values = {"controller": {"service": {"type": "ClusterIP", "annotations": {idle: "3600"}}}}
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    merged = merge_values([str(file)], ["controller.ingressClassResource.name=public"])
    objects = find_chart(*INGRESS_NGINX, None).render(Target("ingress-nginx", "ingress-nginx"), merged)
    by_kind = {obj["kind"]: obj for obj in objects}
    service = by_kind["Service"]
    assert (service["metadata"]["name"], service["spec"]["type"]) == ("ingress-nginx-controller", "ClusterIP")
    assert service["metadata"]["annotations"] == {idle: "3600"}
    assert [port["port"] for port in service["spec"]["ports"]] == [80, 443]
    assert by_kind["IngressClass"]["metadata"]["name"] == "public"
    container = by_kind["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert "--ingress-class=public" in container["args"]
    assert "--publish-service=$(POD_NAMESPACE)/ingress-nginx-controller" in container["args"]


def test_names_follow_the_release_unless_overridden() -> None:
    assert ("Deployment", "edge-ingress-nginx-controller") in _render(INGRESS_NGINX, "edge")
    assert ("Deployment", "edge-sealed-secrets") in _render(SEALED_SECRETS, "edge")
    renamed = _render(SEALED_SECRETS, "edge", "fullnameOverride=sealer")
    assert {("Deployment", "sealer"), ("Service", "sealer"), ("Service", "sealer-metrics")} <= renamed.keys()


def test_selectors_match_the_pods_that_a_chart_makes() -> None:
    objects = _render(INGRESS_NGINX, "edge")
    deployment, service = (objects[kind, "edge-ingress-nginx-controller"]["spec"] for kind in ("Deployment", "Service"))
    assert isinstance(deployment, dict)
    assert isinstance(service, dict)
    labels = deployment["template"]["metadata"]["labels"].items()
    assert labels >= deployment["selector"]["matchLabels"].items()
    assert labels >= service["selector"].items()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("nginx", "--repo", INGRESS_NGINX[1]),
            'chart "nginx" not found in https://kubernetes.github.io/ingress-nginx repository',
        ),
        (
            ("ingress-nginx", "--repo", INGRESS_NGINX[1], "--version", "latest"),
            'chart "ingress-nginx" version "latest" not found in https://kubernetes.github.io/ingress-nginx repository',
        ),
        (
            ("ingress-nginx", "--repo", "https://charts.example.com"),
            'looks like "https://charts.example.com" is not a valid chart repository or cannot be reached: '
            'Get "https://charts.example.com/index.yaml": dial tcp: lookup charts.example.com: no such host',
        ),
        (("ingress-nginx/ingress-nginx",), "repo ingress-nginx not found"),
    ],
)
def test_unknown_charts_are_refused_in_helms_words(arguments: tuple[str, ...], text: str) -> None:
    with pytest.raises(HelmFailure) as failure:
        run("show", "chart", *arguments)
    assert str(failure.value) == f"Error: {text}\n"


def test_a_chart_is_shown_in_the_version_asked_for() -> None:
    shown = yaml.safe_load(run("show", "chart", SEALED_SECRETS[0], "--repo", SEALED_SECRETS[1], "--version", "2.17.9"))
    assert (shown["name"], shown["version"]) == ("sealed-secrets", "2.17.9")


def test_the_version_is_helm_3s() -> None:
    assert run("version", "--template", "{{.Version}}").startswith("v3.")
    assert run("version", "--short").startswith("v3.")


def test_options_are_merged_over_files(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("a: {b: 1, c: keep}\n", encoding="utf-8")
    merged = merge_values([str(file)], ["a.b=2,d=true", r"e.f\.g=x\,y"])
    assert merged == {"a": {"b": 2, "c": "keep"}, "d": True, "e": {"f.g": "x,y"}}
