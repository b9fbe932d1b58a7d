"""Probe verdicts, back-off, volumes, ports, faults and image references."""

import json
import socket
from pathlib import Path

import pytest

from sandbox.nodes import volumes
from sandbox.nodes.clock import BackOff
from sandbox.nodes.faults import FILE, Faults
from sandbox.nodes.images.postgres import without_tls
from sandbox.nodes.images.registry import find, repository, tag
from sandbox.nodes.nodes import INSTANCE_TYPES, NodeGroup, node, node_status, region
from sandbox.nodes.ports import RANGE, PortBook
from sandbox.nodes.probes import Threshold, wanted_ports


def test_a_probe_changes_its_verdict_only_after_enough_equal_results_in_a_row() -> None:
    threshold = Threshold(success=1, failure=3)
    results = [False, True, True, False, False, True, False, False, False, False, True]
    assert [threshold.feed(ok) for ok in results] == [None, True, *[None] * 6, False, None, True]


def test_back_off_doubles_up_to_a_limit_and_tells_the_kubelets_seconds() -> None:
    back_off = BackOff()
    assert [(back_off.next(), back_off.real) for _ in range(3)] == [(0.5, 10), (1.0, 20), (2.0, 40)]
    assert [back_off.next() for _ in range(3)] == [4.0, 5.0, 5.0]
    back_off.reset()
    assert back_off.next() == 0.5


def test_mount_paths_become_real_paths_at_the_start_of_a_path_only(tmp_path: Path) -> None:
    mounted = {"/sql": tmp_path / "a", "/sql/extra": tmp_path / "b"}
    text = "psql -f /sql/setup.sql -f '/sql/extra/x.sql' --dir=/sql /opt/sql/y /sqlite"
    expected = f"psql -f {tmp_path}/a/setup.sql -f '{tmp_path}/b/x.sql' --dir={tmp_path}/a /opt/sql/y /sqlite"
    assert volumes.substitute(text, mounted) == expected


def test_ports_that_only_a_probe_mentions_are_wanted_too() -> None:
    container = {
        "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}],
        "readinessProbe": {"httpGet": {"port": 10254}},
        "livenessProbe": {"tcpSocket": {"port": "http"}},
    }
    assert wanted_ports(container) == [80, 10254]


def test_a_named_listener_gets_its_port_again_when_it_is_free(tmp_path: Path) -> None:
    with PortBook(tmp_path / "ports.json").listen("dbos/conductor:8090") as first:
        port = first.getsockname()[1]
        assert port in RANGE
        with PortBook(tmp_path / "ports.json").listen("dbos/conductor:8090") as other:
            taken_meanwhile = other.getsockname()[1]
    assert taken_meanwhile != port
    book = PortBook(tmp_path / "ports.json")
    with book.listen("dbos/conductor:8090") as again:
        assert again.getsockname()[1] == taken_meanwhile
    reserved = book.reserve()
    with socket.create_server(("127.0.0.1", reserved)):
        assert book.reserve(reserved) != reserved


def test_faults_apply_by_image_and_can_be_taken_back(tmp_path: Path) -> None:
    faults = Faults(tmp_path)
    assert faults.of("dbosdev/conductor:1") is None
    assert faults.of("registry:5000/dbosdev/conductor:missing") == "ImagePullBackOff"
    (tmp_path / FILE).write_text(json.dumps({"conductor": "CrashLoopBackOff", "console": "ErrImagePull"}))
    assert faults.of("dbosdev/conductor:1") == "CrashLoopBackOff"
    assert faults.of("dbosdev/console") == "ImagePullBackOff"
    (tmp_path / FILE).write_text("{}")
    assert faults.of("dbosdev/conductor:1") is None


def test_an_unknown_fault_is_loud_and_a_half_written_file_is_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faults = Faults(tmp_path)
    (tmp_path / FILE).write_text('{"x": "Explodes"}')
    assert faults.of("x") == "CreateContainerConfigError"
    assert "Explodes" in caplog.text
    (tmp_path / FILE).write_text('{"x": "Expl')
    assert faults.of("x") == "CreateContainerConfigError"


@pytest.mark.parametrize(
    ("image", "module"),
    [
        ("postgres:16", "postgres"),
        ("123456789012.dkr.ecr.us-west-2.amazonaws.com/dbos-migrate:latest", "migrate"),
        ("123456789012.dkr.ecr.us-west-2.amazonaws.com/dbos-app@sha256:00", "app"),
        ("registry.k8s.io/ingress-nginx/controller:v1.13.3@sha256:00", "ingress"),
        ("registry.k8s.io/ingress-nginx/kube-webhook-certgen:v1.6.3", "pause"),
        ("602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/coredns:v1.11.4-eksbuild.2", "pause"),
        ("dbosdev/conductor", "conductor"),
        ("dbosdev/console:1.0", "console"),
    ],
)
def test_an_images_name_finds_the_module_that_runs_it(image: str, module: str) -> None:
    assert type(find(image)).__module__ == f"sandbox.nodes.images.{module}"


def test_references_are_split_into_repository_and_tag() -> None:
    assert repository("reg.example:5000/a/b:1@sha256:00") == "reg.example:5000/a/b"
    assert (tag("reg.example:5000/a/b"), tag("a/b:1@sha256:00")) == ("latest", "1")


def test_psql_is_not_asked_for_tls_that_it_cannot_speak() -> None:
    assert without_tls("postgresql://u:p@h/d?sslmode=require&x=1") == "postgresql://u:p@h/d?sslmode=disable&x=1"
    assert without_tls("host=h sslmode=disable") == "host=h sslmode=disable"


def test_nodes_carry_the_labels_and_sizes_of_their_group() -> None:
    name = "ip-192-168-3-4.us-west-2.compute.internal"
    group = NodeGroup(["ip-192-168-1-1.us-west-2.compute.internal", name], "t3.medium", "default", [])
    labels = node(group, name)["metadata"]["labels"]
    assert labels["topology.kubernetes.io/zone"] == "us-west-2b"
    assert labels["eks.amazonaws.com/nodegroup"] == "default"
    assert region("ip-192-168-3-4.ec2.internal") == "us-east-1"
    status = node_status("t3.medium", "v1.34.2", ("127.0.0.1", 20000), {})
    assert status["allocatable"] == {
        "cpu": "1930m",
        "memory": "3554Mi",
        "pods": "17",
        "ephemeral-storage": "19327352832",
    }
    assert {item["type"]: item["status"] for item in status["conditions"]}["Ready"] == "True"
    assert status["daemonEndpoints"]["kubeletEndpoint"]["Port"] == 20000
    assert all(cpu and memory and pods for cpu, memory, pods in INSTANCE_TYPES.values())
