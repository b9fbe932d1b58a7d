"""Which charts there are, and what their values do."""

import sys
from pathlib import Path

import pytest
import yaml

from sandbox.helm.archives import pack
from sandbox.helm.errors import HelmError
from sandbox.helm.kube import KINDS
from sandbox.helm.rendering import Target
from sandbox.helm.sources import REPOSITORIES, find_chart
from sandbox.helm.values import merge_values
from sandbox.processes import free_port, spawn, stop, wait_until_listening
from tests.sandbox.helm.command import INGRESS_NGINX, KEDA, SEALED_SECRETS, HelmFailure, run

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


def test_a_chart_that_was_pulled_is_rendered_as_the_one_in_the_repository(tmp_path: Path) -> None:
    run("pull", KEDA[0], "--repo", KEDA[1], "--version", "2.21.1", "--destination", str(tmp_path))
    pulled = find_chart(str(tmp_path / "keda-2.21.1.tgz"), None, None)
    target, values = Target("keda", "keda"), {"crds": {"additionalAnnotations": {"helm.sh/resource-policy": "keep"}}}
    assert pulled.render(target, values) == find_chart(*KEDA, "2.21.1").render(target, values)
    definitions = [obj for obj in pulled.render(target, values) if obj["kind"] == "CustomResourceDefinition"]
    assert {obj["metadata"]["annotations"]["helm.sh/resource-policy"] for obj in definitions} == {"keep"}


def test_go_templates_are_refused_not_pretended(tmp_path: Path) -> None:
    files = {"Chart.yaml": "name: c\nversion: 1.0.0", "templates/a.yaml": "kind: {{ .Values.kind }}"}
    (tmp_path / "c.tgz").write_bytes(pack("c", files))
    with pytest.raises(HelmError, match=r"renders no Go templates, and chart c-1\.0\.0 has some"):
        find_chart(str(tmp_path / "c.tgz"), None, None).render(Target("c", "c"), {})


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.tgz").write_bytes(b"<html>")
    with pytest.raises(HelmFailure, match="gzipped archive"):
        run("show", "chart", str(tmp_path / "c.tgz"))


def test_a_repository_is_served_by_a_command_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "c-1.0.0.tgz").write_bytes(pack("c", {"Chart.yaml": "name: c\nversion: 1.0.0"}))
    port = free_port()
    command = [sys.executable, "-m", "sandbox.helm.repository", "--dir", str(tmp_path), "--port", str(port)]
    process = spawn(command, log=tmp_path / "log")
    try:
        wait_until_listening(port, process, 20)
        shown = yaml.safe_load(run("show", "chart", "c", "--repo", f"http://127.0.0.1:{port}"))
        with pytest.raises(HelmFailure, match="404"):
            run("show", "chart", "c", "--repo", f"http://127.0.0.1:{port}/other")
    finally:
        stop(process)
    assert shown == {"name": "c", "version": "1.0.0"}
