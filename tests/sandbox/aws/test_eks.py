"""EKS: states over time, what is checked, what blocks what."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509

from tests.sandbox.aws.standin import ACCOUNT, Network, StandIn, until

ME = f"arn:aws:iam::{ACCOUNT}:user/podium"
ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


def code(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call()
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def create_cluster(aws: StandIn, roles: dict[str, str], network: Network, **more: Any) -> dict[str, Any]:
    params: dict[str, Any] = {
        "name": "one",
        "roleArn": roles["cluster"],
        "resourcesVpcConfig": {"subnetIds": network.public + network.private},
        "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
    }
    return dict(aws.client("eks").create_cluster(**(params | more))["cluster"])


def status(aws: StandIn) -> str:
    return str(aws.client("eks").describe_cluster(name="one")["cluster"]["status"])


def group_status(aws: StandIn) -> str:
    found = aws.client("eks").describe_nodegroup(clusterName="one", nodegroupName="default")
    return str(found["nodegroup"]["status"])


def addon_status(aws: StandIn, name: str) -> str:
    return str(aws.client("eks").describe_addon(clusterName="one", addonName=name)["addon"]["status"])


def gone(aws: StandIn) -> bool:
    return "one" not in aws.client("eks").list_clusters()["clusters"]


@pytest.fixture
def cluster(aws: StandIn, roles: dict[str, str], network: Network) -> Iterator[dict[str, Any]]:
    create_cluster(aws, roles, network, tags={"podium:installation": "a"})
    assert status(aws) == "CREATING"
    until(lambda: status(aws), "ACTIVE")
    yield aws.client("eks").describe_cluster(name="one")["cluster"]
    delete_cluster(aws)


def delete_cluster(aws: StandIn) -> None:
    aws.client("eks").delete_cluster(name="one")
    until(lambda: gone(aws))


def add_nodes(aws: StandIn, roles: dict[str, str], network: Network, **more: Any) -> None:
    aws.client("eks").create_nodegroup(
        clusterName="one",
        nodegroupName="default",
        nodeRole=roles["node"],
        subnets=network.private,
        scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 2},
        **more,
    )


def remove_nodes(aws: StandIn) -> None:
    eks = aws.client("eks")
    eks.delete_nodegroup(clusterName="one", nodegroupName="default")
    until(lambda: eks.list_nodegroups(clusterName="one")["nodegroups"], [])


def test_a_cluster_has_what_an_install_needs_once_it_is_active(
    aws: StandIn, network: Network, cluster: dict[str, Any]
) -> None:
    assert cluster["resourcesVpcConfig"]["vpcId"] == network.vpc
    assert cluster["resourcesVpcConfig"]["clusterSecurityGroupId"].startswith("sg-")
    assert cluster["identity"]["oidc"]["issuer"].startswith("https://oidc.eks.us-west-2.amazonaws.com/id/")
    assert cluster["version"] == "1.34"
    x509.load_pem_x509_certificate(base64.b64decode(cluster["certificateAuthority"]["data"]))
    interfaces = aws.client("ec2").describe_network_interfaces(
        Filters=[{"Name": "description", "Values": ["Amazon EKS one"]}]
    )
    assert len(interfaces["NetworkInterfaces"]) == 2


def test_what_cannot_become_a_cluster_is_refused(aws: StandIn, roles: dict[str, str], network: Network) -> None:
    one_zone = {"subnetIds": [network.public[0], network.private[0]]}
    assert "two different AZs" in code(lambda: create_cluster(aws, roles, network, resourcesVpcConfig=one_zone))[1]
    missing = {"subnetIds": ["subnet-00000000"]}
    assert "does not exist" in code(lambda: create_cluster(aws, roles, network, resourcesVpcConfig=missing))[1]
    assert "assumed" in code(lambda: create_cluster(aws, roles, network, roleArn=roles["node"]))[1]
    assert "version" in code(lambda: create_cluster(aws, roles, network, version="1.20"))[1]
    aws.control("PUT", "/settings", {"quotas": {"L-1194D53C": 0.0}})
    assert code(lambda: create_cluster(aws, roles, network))[0] == "ResourceLimitExceededException"


def test_the_same_token_gets_the_same_cluster_and_the_same_name_does_not(
    aws: StandIn, roles: dict[str, str], network: Network
) -> None:
    first = create_cluster(aws, roles, network, clientRequestToken="token-a")
    assert create_cluster(aws, roles, network, clientRequestToken="token-a")["arn"] == first["arn"]
    assert (
        code(lambda: create_cluster(aws, roles, network, clientRequestToken="token-b"))[0] == "ResourceInUseException"
    )
    changed = code(lambda: create_cluster(aws, roles, network, clientRequestToken="token-a", version="1.33"))
    assert changed[0] == "InvalidParameterException"
    until(lambda: status(aws), "ACTIVE")
    delete_cluster(aws)


def test_a_lost_answer_to_create_cluster_leaves_a_cluster(
    aws: StandIn, roles: dict[str, str], network: Network
) -> None:
    aws.fault(match="eks:CreateCluster", kind="lost")
    patient = StandIn(aws.home, attempts=3, port=aws.port)
    create_cluster(patient, roles, network, clientRequestToken="token-lost")
    patient.close_clients()
    assert aws.client("eks").list_clusters()["clusters"] == ["one"]
    until(lambda: status(aws), "ACTIVE")
    delete_cluster(aws)


def test_nodes_come_up_and_block_the_clusters_deletion(
    aws: StandIn, roles: dict[str, str], network: Network, cluster: dict[str, Any]
) -> None:
    add_nodes(aws, roles, network)
    assert group_status(aws) == "CREATING"
    until(lambda: group_status(aws), "ACTIVE")
    assert code(lambda: aws.client("eks").delete_cluster(name="one"))[0] == "ResourceInUseException"
    assert code(lambda: aws.client("ec2").delete_subnet(SubnetId=network.private[0]))[0] == "DependencyViolation"
    remove_nodes(aws)


def test_nodes_beyond_the_vcpu_quota_do_not_come(
    aws: StandIn, roles: dict[str, str], network: Network, cluster: dict[str, Any]
) -> None:
    aws.control("PUT", "/settings", {"quotas": {"L-1216C47A": 3.0}})
    add_nodes(aws, roles, network)
    until(lambda: group_status(aws), "CREATE_FAILED")
    found = aws.client("eks").describe_nodegroup(clusterName="one", nodegroupName="default")["nodegroup"]
    assert "VcpuLimitExceeded" in found["health"]["issues"][0]["message"]
    remove_nodes(aws)


def test_addons_become_active_coredns_only_with_nodes(
    aws: StandIn, roles: dict[str, str], network: Network, cluster: dict[str, Any]
) -> None:
    eks = aws.client("eks")
    wrong = code(
        lambda: eks.create_addon(
            clusterName="one", addonName="vpc-cni", configurationValues='{"enableNetworkPolicy": true}'
        )
    )
    assert wrong[0] == "InvalidParameterException"
    eks.create_addon(clusterName="one", addonName="vpc-cni", configurationValues='{"enableNetworkPolicy": "true"}')
    eks.create_addon(clusterName="one", addonName="coredns")
    assert code(lambda: eks.create_addon(clusterName="one", addonName="coredns"))[0] == "ResourceInUseException"
    until(lambda: addon_status(aws, "vpc-cni"), "ACTIVE")
    assert addon_status(aws, "coredns") == "CREATING"
    add_nodes(aws, roles, network)
    until(lambda: addon_status(aws, "coredns"), "ACTIVE")
    update = eks.update_addon(clusterName="one", addonName="coredns", configurationValues="replicaCount: 3")["update"]
    described = eks.describe_update(name="one", addonName="coredns", updateId=update["id"])
    assert described["update"]["status"] == "InProgress"
    until(lambda: addon_status(aws, "coredns"), "ACTIVE")
    eks.delete_addon(clusterName="one", addonName="coredns")
    until(lambda: eks.list_addons(clusterName="one")["addons"], ["vpc-cni"])
    remove_nodes(aws)


def test_the_creator_may_enter_and_others_by_an_access_entry(
    aws: StandIn, roles: dict[str, str], cluster: dict[str, Any]
) -> None:
    eks = aws.client("eks")
    assert aws.control("GET", "/clusters/one/access?region=us-west-2")["principals"] == [ME]
    eks.create_access_entry(clusterName="one", principalArn=roles["pod"])
    assert aws.control("GET", "/clusters/one/access")["principals"] == [ME]
    eks.associate_access_policy(
        clusterName="one", principalArn=roles["pod"], policyArn=ADMIN, accessScope={"type": "cluster"}
    )
    assert aws.control("GET", "/clusters/one/access")["principals"] == [ME, roles["pod"]]
    associated = eks.list_associated_access_policies(clusterName="one", principalArn=roles["pod"])
    assert [policy["policyArn"] for policy in associated["associatedAccessPolicies"]] == [ADMIN]
    eks.delete_access_entry(clusterName="one", principalArn=roles["pod"])
    assert eks.list_access_entries(clusterName="one")["accessEntries"] == [ME]
    missing = code(lambda: eks.describe_access_entry(clusterName="one", principalArn=roles["pod"]))
    assert missing[0] == "ResourceNotFoundException"


def test_pod_identity_associations_are_one_per_service_account(
    aws: StandIn, roles: dict[str, str], cluster: dict[str, Any]
) -> None:
    eks = aws.client("eks")
    params = {"clusterName": "one", "namespace": "dbos", "serviceAccount": "app", "roleArn": roles["pod"]}
    made = eks.create_pod_identity_association(**params)["association"]
    assert code(lambda: eks.create_pod_identity_association(**params))[0] == "ResourceInUseException"
    listed = eks.list_pod_identity_associations(clusterName="one", namespace="dbos")["associations"]
    assert [found["associationId"] for found in listed] == [made["associationId"]]
    eks.delete_pod_identity_association(clusterName="one", associationId=made["associationId"])


def test_a_cluster_is_upgraded_one_minor_version_at_a_time(
    aws: StandIn, roles: dict[str, str], network: Network
) -> None:
    eks = aws.client("eks")
    create_cluster(aws, roles, network, version="1.32")
    until(lambda: status(aws), "ACTIVE")
    too_far = code(lambda: eks.update_cluster_version(name="one", version="1.34"))
    assert too_far[0] == "InvalidParameterException"
    update = eks.update_cluster_version(name="one", version="1.33")["update"]
    assert status(aws) == "UPDATING"
    until(lambda: status(aws), "ACTIVE")
    assert eks.describe_update(name="one", updateId=update["id"])["update"]["status"] == "Successful"
    assert eks.describe_cluster(name="one")["cluster"]["version"] == "1.33"
    delete_cluster(aws)


def test_the_guides_version_is_in_extended_support_and_the_default_is_not(aws: StandIn) -> None:
    eks = aws.client("eks")
    found = {item["clusterVersion"]: item for item in eks.describe_cluster_versions()["clusterVersions"]}
    assert found["1.31"]["versionStatus"] == "EXTENDED_SUPPORT"
    assert found["1.34"]["versionStatus"] == "STANDARD_SUPPORT"
    assert [name for name, item in found.items() if item["defaultVersion"]] == ["1.34"]
    offered = eks.describe_addon_versions(addonName="vpc-cni", kubernetesVersion="1.34")["addons"][0]
    assert offered["addonVersions"][0]["compatibilities"][0]["defaultVersion"] is True


def test_the_tagging_api_finds_clusters_repositories_and_addresses(aws: StandIn, cluster: dict[str, Any]) -> None:
    tag = {"Key": "podium:installation", "Value": "a"}
    repository = aws.client("ecr").create_repository(repositoryName="dbos-app", tags=[tag])["repository"]
    address = aws.client("ec2").allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [tag]}]
    )["AllocationId"]
    found = aws.client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "podium:installation", "Values": ["a"]}]
    )["ResourceTagMappingList"]
    arns = {item["ResourceARN"] for item in found}
    assert {cluster["arn"], repository["repositoryArn"]} <= arns
    assert any(arn.endswith(address) for arn in arns)
    aws.client("ec2").release_address(AllocationId=address)
    aws.client("ecr").delete_repository(repositoryName="dbos-app", force=True)
