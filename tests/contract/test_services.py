"""Services: addresses, ports, types, and what may not change."""

# ruff: noqa: E501 (a row of a table of messages is a line)

from typing import Any

import pytest

from tests.contract.kube import Kube
from tests.contract.objects import Object, service


def test_services_get_addresses_of_their_own(kube: Kube) -> None:
    first, second = kube.made("services", service("a")), kube.made("services", service("b"))
    assert first["spec"]["clusterIP"] != second["spec"]["clusterIP"]
    assert first["spec"]["clusterIP"].startswith("10.100.")
    assert first["spec"]["clusterIPs"] == [first["spec"]["clusterIP"]]
    assert first["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    expected: Object = {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"}
    expected |= {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"}
    assert first["spec"].items() >= expected.items()
    assert first["status"] == {"loadBalancer": {}}


def test_an_address_that_is_taken_is_refused(kube: Kube) -> None:
    taken = kube.made("services", service("a"))["spec"]["clusterIP"]
    status, body = kube.create("services", service("b", clusterIP=taken))
    text = f'Invalid value: ["{taken}"]: failed to allocate IP {taken}: provided IP is already allocated'
    assert (status, body["message"]) == (422, f'Service "b" is invalid: spec.clusterIPs: {text}')


def test_a_load_balancer_gets_node_ports(kube: Kube) -> None:
    spec = kube.made("services", service("a", type="LoadBalancer", externalTrafficPolicy="Local"))["spec"]
    assert 30000 <= spec["ports"][0]["nodePort"] < 32768
    assert 30000 <= spec["healthCheckNodePort"] < 32768
    assert spec["allocateLoadBalancerNodePorts"] is True


def test_headless_services_have_no_address(kube: Kube) -> None:
    with_pods = kube.made("services", service("a", clusterIP="None", selector={"a": "b"}))["spec"]
    assert (with_pods["clusterIP"], with_pods["clusterIPs"], with_pods["ipFamilyPolicy"]) == (
        "None",
        ["None"],
        "SingleStack",
    )
    without = kube.made("services", service("b", clusterIP="None"))["spec"]
    assert (without["ipFamilies"], without["ipFamilyPolicy"]) == (["IPv4", "IPv6"], "RequireDualStack")


def test_external_names_have_neither_address_nor_families(kube: Kube) -> None:
    spec = kube.made("services", service("a", type="ExternalName", externalName="db.example.com", ports=[]))["spec"]
    assert spec == {"type": "ExternalName", "externalName": "db.example.com", "sessionAffinity": "None"}


def test_changing_the_type_takes_what_belonged_to_it(kube: Kube) -> None:
    made = kube.made("services", service("a", type="NodePort"))["spec"]
    _, obj = kube.patch("services", "a", {"spec": {"type": "ClusterIP"}}, "merge")
    assert "nodePort" not in obj["spec"]["ports"][0]
    assert "externalTrafficPolicy" not in obj["spec"]
    assert obj["spec"]["clusterIP"] == made["clusterIP"]
    _, obj = kube.patch("services", "a", {"spec": {"type": "ExternalName", "externalName": "x.y"}}, "merge")
    assert obj["spec"].keys() & {"clusterIP", "clusterIPs", "ipFamilies", "internalTrafficPolicy"} == set()


def test_a_replaced_service_keeps_its_address(kube: Kube) -> None:
    made = kube.made("services", service("a"))
    _, obj = kube.replace("services", service("a", ports=[{"port": 81}]))
    assert obj["spec"]["clusterIP"] == made["spec"]["clusterIP"]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"ports": []}, "spec.ports: Required value"),
        ({"ports": [{"port": 1}, {"port": 2}]}, "[spec.ports[0].name: Required value, spec.ports[1].name: Required value]"),
        ({"ports": [{"port": 1, "name": "x"}, {"port": 2, "name": "x"}]}, 'spec.ports[1].name: Duplicate value: "x"'),
        ({"ports": [{"port": 1, "name": "x"}, {"port": 1, "name": "y"}]}, 'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":1,"TargetPort":0,"NodePort":0}'),
        ({"ports": [{"port": 1, "protocol": "X"}]}, 'spec.ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"'),
        ({"ports": [{"port": 1, "targetPort": "Bad_"}]}, 'spec.ports[0].targetPort: Invalid value: "Bad_": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'),
        ({"ports": [{"port": 1, "targetPort": 70000}]}, "spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive"),
        ({"ports": [{"port": 1, "nodePort": 30001}]}, "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"),
        ({"type": "NodePort", "ports": [{"port": 1, "nodePort": 1}]}, "spec.ports[0].nodePort: Invalid value: 1: provided port is not in the valid range. The range of valid ports is 30000-32767"),
        ({"type": "X"}, 'spec.type: Unsupported value: "X": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        ({"type": "ExternalName", "externalName": "x.y", "clusterIP": "10.100.1.1"}, "spec.clusterIPs: Forbidden: may not be set for ExternalName services"),
        ({"clusterIP": "10.200.0.1"}, 'spec.clusterIPs: Invalid value: ["10.200.0.1"]: failed to allocate IP 10.200.0.1: the provided network does not match the current range'),
        ({"clusterIP": "bogus"}, 'spec.clusterIPs[0]: Invalid value: "bogus": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
        ({"clusterIP": "None", "type": "NodePort"}, "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"),
        ({"sessionAffinity": "X"}, 'spec.sessionAffinity: Unsupported value: "X": supported values: "ClientIP", "None"'),
        ({"externalTrafficPolicy": "Local"}, 'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'),
        ({"type": "LoadBalancer", "externalTrafficPolicy": "X"}, 'spec.externalTrafficPolicy: Unsupported value: "X": supported values: "Cluster", "Local"'),
        ({"loadBalancerSourceRanges": ["10.0.0.0/8"]}, "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'"),
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": ["x"]}, 'spec.LoadBalancerSourceRanges[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'),
        ({"ipFamilies": ["IPv6"]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
    ],
)  # fmt: skip
def test_services_are_checked(kube: Kube, spec: Any, text: str) -> None:
    status, body = kube.create("services", service("s", **spec))
    assert (status, body["message"]) == (422, f'Service "s" is invalid: {text}')


def test_an_address_and_a_class_may_not_change(kube: Kube) -> None:
    kube.made("services", service("a"))
    status, body = kube.patch("services", "a", {"spec": {"clusterIP": "10.100.9.9"}}, "merge")
    assert (status, "may not change once set" in body["message"]) == (422, True)
    assert body["details"]["causes"][0]["field"] == "spec.clusterIPs[0]"
    kube.made("services", service("b", type="LoadBalancer", loadBalancerClass="example.com/none"))
    status, body = kube.patch("services", "b", {"spec": {"loadBalancerClass": "example.com/x"}}, "merge")
    text = 'spec.loadBalancerClass: Invalid value: "example.com/x": may not change once set'
    assert (status, body["message"]) == (422, f'Service "b" is invalid: {text}')
