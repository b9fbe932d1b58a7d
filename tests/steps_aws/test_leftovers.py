"""What Kubernetes left in AWS is swept by the cluster's tag, and by nothing else."""

from typing import Any

import pytest

from steps import cluster, identity, leftovers, nodes
from steps.clients.aws import Aws
from steps.names import Owner
from steps.waiting import Pending
from tests.steps_aws.building import Built, blocked, build_network, settled
from tests.steps_aws.conftest import Cloud, Person

HTTP = [{"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 80}]


def tags(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def owned(name: str) -> dict[str, str]:
    return {f"kubernetes.io/cluster/{name}": "owned"}


@pytest.fixture
def here(aws: Aws, owner: Owner) -> Built:
    return build_network(aws, owner)


class Kubernetes:
    """What the controllers of a cluster make in AWS."""

    def __init__(self, person: Person, name: str, built: Built) -> None:
        self._ec2, self._elb, self._elbv2 = person("ec2"), person("elb"), person("elbv2")
        self._name, self._built = name, built

    def group(self, name: str, **extra: str) -> str:
        kind = {"ResourceType": "security-group", "Tags": tags(**(extra or owned(self._name)))}
        made = self._ec2.create_security_group(
            GroupName=name, Description="x", VpcId=self._built.vpc_id, TagSpecifications=[kind]
        )
        return str(made["GroupId"])

    def let_in(self, group: str, source: str) -> None:
        pair = {"UserIdGroupPairs": [{"GroupId": source}]}
        self._ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "-1", **pair}])

    def balancer(self, name: str, group: str) -> str:
        self._elb.create_load_balancer(
            LoadBalancerName=name,
            Listeners=HTTP,
            Subnets=self._built.public,
            SecurityGroups=[group],
            Tags=tags(**owned(self._name), **{"kubernetes.io/service-name": f"web/{name}"}),
        )
        return name

    def application(self, name: str, group: str) -> str:
        """An ALB of the load balancer controller, with its target group."""
        made = self._elbv2.create_load_balancer(
            Name=name,
            Subnets=self._built.public,
            SecurityGroups=[group],
            Tags=tags(**{"elbv2.k8s.aws/cluster": self._name, "ingress.k8s.aws/stack": f"web/{name}"}),
        )
        arn = str(made["LoadBalancers"][0]["LoadBalancerArn"])
        targets = self._elbv2.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=80,
            VpcId=self._built.vpc_id,
            Tags=tags(**{"elbv2.k8s.aws/cluster": self._name}),
        )
        forward = {"Type": "forward", "TargetGroupArn": targets["TargetGroups"][0]["TargetGroupArn"]}
        self._elbv2.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[forward])
        return arn

    def interface(self, description: str, **values: str) -> str:
        kind = {"ResourceType": "network-interface", "Tags": tags(**values)} if values else None
        extra: dict[str, Any] = {"TagSpecifications": [kind]} if kind else {}
        made = self._ec2.create_network_interface(SubnetId=self._built.private[0], Description=description, **extra)
        return str(made["NetworkInterface"]["NetworkInterfaceId"])

    def volume(self, **values: str) -> str:
        kind = {"ResourceType": "volume", "Tags": tags(**values)}
        made = self._ec2.create_volume(AvailabilityZone="us-west-2a", Size=1, TagSpecifications=[kind])
        return str(made["VolumeId"])


@pytest.fixture
def kubernetes(person: Person, owner: Owner, here: Built) -> Kubernetes:
    return Kubernetes(person, owner.names.cluster, here)


def test_everything_with_the_clusters_tag_is_swept(aws: Aws, owner: Owner, kubernetes: Kubernetes) -> None:
    name = owner.names.cluster
    own = kubernetes.group(f"eks-cluster-sg-{name}-1")
    balancing = kubernetes.group("k8s-elb-a1")
    traffic = kubernetes.group("k8s-traffic-1", **{"elbv2.k8s.aws/cluster": name})
    kubernetes.let_in(own, balancing)
    kubernetes.let_in(balancing, own)
    kubernetes.let_in(own, traffic)
    kubernetes.balancer("a1", balancing)
    kubernetes.application("alb1", traffic)
    kubernetes.interface("aws-K8S-i-1", **{"cluster.k8s.amazonaws.com/name": name})
    kubernetes.interface("aws-K8S-i-2")
    kubernetes.volume(**owned(name))
    begun = leftovers.sweep(aws, owner)
    assert len(begun) == 9
    assert isinstance(leftovers.await_swept(aws, owner), Pending)
    assert settled(leftovers.await_swept, aws, owner) == {"left": []}
    assert leftovers.arns(aws, leftovers.find(aws, owner)) == []
    assert leftovers.sweep(aws, owner) == []


def test_nothing_without_the_tag_is_touched(
    aws: Aws, owner: Owner, kubernetes: Kubernetes, person: Person, here: Built
) -> None:
    name = owner.names.cluster
    stays = Kubernetes(person, "another", here)
    group = stays.group("k8s-elb-theirs")
    stays.balancer(f"b{owner.installation}", group)
    stack = kubernetes.group("nodes", **owned(name))
    person("ec2").create_tags(Resources=[stack], Tags=tags(**{"aws:cloudformation:stack-name": "nodes"}))
    theirs = stays.interface("aws-K8S-i-9", **{"cluster.k8s.amazonaws.com/name": "another"})
    persons = stays.interface("a person's")
    shared = kubernetes.volume(**{f"kubernetes.io/cluster/{name}": "shared"})
    assert leftovers.sweep(aws, owner) == []
    assert leftovers.await_swept(aws, owner) == {"left": []}
    assert f"b{owner.installation}" in [one.name for one in aws.all_balancers()]
    assert [one.id for one in aws.groups.named("k8s-elb-theirs", here.vpc_id)] == [group]
    assert [one.id for one in aws.groups.named("nodes", here.vpc_id)] == [stack]
    assert aws.interfaces.numbered(theirs)
    assert aws.interfaces.numbered(persons)
    assert aws.interfaces.volumes({f"kubernetes.io/cluster/{name}": "shared"})[0].id == shared
    person("elb").delete_load_balancer(LoadBalancerName=f"b{owner.installation}")


def test_with_data_retained_volumes_stay_and_are_listed(aws: Aws, owner: Owner, kubernetes: Kubernetes) -> None:
    volume = kubernetes.volume(**owned(owner.names.cluster))
    found = settled(leftovers.await_swept, aws, owner, "retain")
    assert [one["arn"].rpartition("/")[2] for one in found["left"]] == [volume]
    assert "retained" in found["left"][0]["why"]
    assert settled(leftovers.await_swept, aws, owner, "delete") == {"left": []}


def test_a_protected_load_balancer_blocks_until_its_protection_is_off(
    aws: Aws, owner: Owner, kubernetes: Kubernetes, person: Person
) -> None:
    arn = kubernetes.application(
        "alb2", kubernetes.group("k8s-web-1", **{"elbv2.k8s.aws/cluster": owner.names.cluster})
    )
    elbv2 = person("elbv2")

    def protect(on: str) -> None:
        attributes = [{"Key": "deletion_protection.enabled", "Value": on}]
        elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)

    protect("true")
    found = blocked(leftovers.await_swept, aws, owner)
    assert found.resources[0]["arn"] == arn
    assert found.resources[0]["owner"] == f"the Ingress web/alb2 of the EKS cluster {owner.names.cluster}"
    protect("false")
    assert settled(leftovers.await_swept, aws, owner) == {"left": []}


def test_a_group_that_a_persons_rule_names_blocks_until_the_rule_is_gone(
    aws: Aws, owner: Owner, kubernetes: Kubernetes, person: Person, here: Built
) -> None:
    own = kubernetes.group(f"eks-cluster-sg-{owner.names.cluster}-1")
    theirs = person("ec2").create_security_group(GroupName="cache", Description="x", VpcId=here.vpc_id)["GroupId"]
    kubernetes.let_in(theirs, own)
    found = blocked(leftovers.await_swept, aws, owner)
    assert [(one["arn"].rpartition("/")[2], one["owner"]) for one in found.resources] == [(theirs, "somebody else")]
    person("ec2").delete_security_group(GroupId=theirs)
    assert settled(leftovers.await_swept, aws, owner) == {"left": []}


def test_load_balancers_of_services_are_awaited_with_their_interfaces(
    aws: Aws, owner: Owner, kubernetes: Kubernetes, person: Person
) -> None:
    name = owner.names.cluster
    kubernetes.balancer("a3", kubernetes.group("k8s-elb-a3"))
    found = leftovers.await_load_balancers_gone(aws, owner, name)
    assert isinstance(found, Pending)
    assert f"a3 (the Service web/a3 of the EKS cluster {name})" in found.detail
    assert leftovers.await_load_balancers_gone(aws, owner, name, ("web/other",)) is True
    assert isinstance(leftovers.await_load_balancers_gone(aws, owner, name, ("web/a3",)), Pending)
    person("elb").delete_load_balancer(LoadBalancerName="a3")
    found = leftovers.await_load_balancers_gone(aws, owner, name)
    assert isinstance(found, Pending)
    assert "network interfaces of k8s-elb-a3" in found.detail
    assert settled(leftovers.await_load_balancers_gone, aws, owner, name) is True


def test_while_the_cluster_is_there_nothing_is_swept_and_what_nodes_leave_goes_after_it(
    aws: Aws, owner: Owner, kubernetes: Kubernetes, here: Built, cloud: Cloud
) -> None:
    cloud.settings(leave_interfaces=True)
    role, name = identity.ensure_cluster_role(aws, owner), owner.names.cluster
    cluster.ensure_cluster(aws, owner, "1.34", role, here.private, ["0.0.0.0/0"])
    settled(cluster.await_cluster, aws, name)
    node_role = identity.ensure_node_role(aws, owner)
    nodes.ensure_node_group(aws, owner, name, "default", node_role, here.public, "t3.large", 1, 20)
    settled(nodes.await_node_group, aws, name, "default")
    assert leftovers.sweep(aws, owner) == []
    assert isinstance(leftovers.await_swept(aws, owner), Pending)
    nodes.delete_node_group(aws, owner)
    settled(nodes.await_node_group_deleted, aws, owner)
    assert settled(cluster.await_cluster_deleted, aws, owner) is True
    assert leftovers.find(aws, owner).interfaces
    assert settled(leftovers.await_swept, aws, owner) == {"left": []}


def test_somebody_elses_cluster_of_the_name_keeps_everything(aws: Aws, owner: Owner, kubernetes: Kubernetes) -> None:
    kubernetes.group("k8s-elb-x")
    role = identity.ensure_cluster_role(aws, owner)
    aws.eks.make_cluster(
        owner.names.cluster,
        version="1.34",
        role_arn=role,
        subnet_ids=kubernetes._built.private,
        public_access_cidrs=["0.0.0.0/0"],
        token=owner.installation,
        tags={},
    )
    assert leftovers.sweep(aws, owner) == []
    assert leftovers.await_swept(aws, owner) == {"left": []}
    assert aws.groups.named("k8s-elb-x", kubernetes._built.vpc_id)
