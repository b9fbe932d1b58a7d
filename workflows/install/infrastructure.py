"""AWS: network, roles, control plane, nodes, database. The guide's `eksctl create cluster` and `aws rds` commands."""

from steps import addons as cluster_addons
from steps import cluster as control_plane
from steps import database as rds
from steps import egress as way_out
from steps import existing, leftovers, secret_store
from steps import identity as roles
from steps import network as vpc
from steps import nodes as node_group
from workflows.durable import Run
from workflows.facts import Facts
from workflows.install.account import reference

ADDONS: dict[str, dict[str, str] | None] = {
    "vpc-cni": {"enableNetworkPolicy": "true"},
    "kube-proxy": None,
    "coredns": None,
}


async def network(run: Run) -> Facts:
    """VPC, internet gateway and subnets; or a check of those that are there."""
    if run.spec.network.existing:
        return await _existing_network(run)
    aws, owner, spec, zones = run.aws, run.owner, run.spec.network, run.facts["zones"]
    cluster_name = run.spec.cluster.existing_name or owner.names.cluster
    vpc_id = await run.step("Creating the VPC", vpc.ensure_vpc, aws, owner, spec.cidr)
    gateway = await run.step("Creating the internet gateway", vpc.ensure_internet_gateway, aws, owner, vpc_id)
    subnets = {}
    for kind in ("public", "private"):
        action = f"Creating the {kind} subnets"
        cidrs = list(spec.subnets(kind))
        subnets[kind] = await run.step(action, vpc.ensure_subnets, aws, owner, vpc_id, kind, cidrs, zones, cluster_name)
    await run.step(
        "Routing the public subnets", vpc.ensure_public_routes, aws, owner, vpc_id, gateway, subnets["public"]
    )
    return Facts(vpc_id=vpc_id, public_subnet_ids=subnets["public"], private_subnet_ids=subnets["private"])


async def _existing_network(run: Run) -> Facts:
    given = run.spec.network.existing
    assert given is not None  # noqa: S101 - the caller looked
    found = await run.step(
        "Checking the VPC and its subnets",
        existing.check_network,
        run.aws,
        given.vpc_id,
        list(given.public_subnet_ids),
        list(given.private_subnet_ids),
    )
    return Facts(
        vpc_id=found["vpc_id"],
        public_subnet_ids=found["public_subnet_ids"],
        private_subnet_ids=found["private_subnet_ids"],
    )


async def undo_network(run: Run) -> Facts:
    await run.step("Deleting the VPC", vpc.delete_network, run.aws, run.owner)
    await run.wait("Waiting for the VPC to go", vpc.await_network_deleted, 30, run.aws, run.owner)
    return {}


async def egress(run: Run) -> Facts:
    """NAT gateway and private routes; beside the control plane, which does not need them."""
    if run.spec.network.existing:
        return {}
    aws, owner, known = run.aws, run.owner, run.facts
    address = await run.step("Allocating the NAT gateway's address", way_out.ensure_address, aws, owner)
    subnet = known["public_subnet_ids"][0]
    nat = await run.step("Creating the NAT gateway", way_out.ensure_nat_gateway, aws, owner, subnet, address)
    found = await run.wait("Waiting for the NAT gateway", way_out.await_nat_gateway, 15, aws, nat)
    await run.step(
        "Routing the private subnets",
        way_out.ensure_private_routes,
        aws,
        owner,
        known["vpc_id"],
        nat,
        known["private_subnet_ids"],
    )
    return Facts(nat_public_ip=found["public_ip"])


async def undo_egress(run: Run) -> Facts:
    aws, owner = run.aws, run.owner
    await run.step("Deleting the NAT gateway", way_out.delete_nat_gateway, aws, owner)
    await run.wait("Waiting for the NAT gateway to go", way_out.await_nat_gateway_deleted, 15, aws, owner)
    await run.step("Releasing its address", way_out.release_address, aws, owner)
    await run.wait("Waiting for its address to go", way_out.await_address_released, 15, aws, owner)
    await run.step("Deleting the private routes", way_out.delete_private_routes, aws, owner)
    await run.wait("Waiting for the private routes to go", way_out.await_private_routes_deleted, 15, aws, owner)
    return {}


async def identity(run: Run) -> Facts:
    """The roles of control plane and nodes."""
    if run.spec.cluster.existing_name:
        return {}
    cluster_role = await run.step("Creating the cluster's role", roles.ensure_cluster_role, run.aws, run.owner)
    node_role = await run.step("Creating the nodes' role", roles.ensure_node_role, run.aws, run.owner)
    return Facts(cluster_role_arn=cluster_role, node_role_arn=node_role)


async def undo_identity(run: Run) -> Facts:
    await run.step("Deleting the IAM roles", roles.delete_identity, run.aws, run.owner)
    await run.wait("Waiting for the IAM roles to go", roles.await_identity_deleted, 15, run.aws, run.owner)
    return {}


async def cluster(run: Run) -> Facts:
    """The EKS control plane, and the OIDC provider for its service accounts."""
    aws, owner, known, spec = run.aws, run.owner, run.facts, run.spec.cluster
    if spec.existing_name:
        found = await run.step("Looking the cluster up", existing.look_up_cluster, aws, spec.existing_name)
    else:
        subnets = [*known["public_subnet_ids"], *known["private_subnet_ids"]]
        name = await run.step(
            "Creating the EKS control plane",
            control_plane.ensure_cluster,
            aws,
            owner,
            known["kubernetes_version"],
            known["cluster_role_arn"],
            subnets,
            list(spec.public_access_cidrs),
        )
        found = await run.wait("Waiting for the EKS control plane", control_plane.await_cluster, 40, aws, name)
        await run.step("Creating the OIDC provider", roles.ensure_oidc_provider, aws, owner, found["oidc_issuer"])
    return Facts(
        cluster_name=found["cluster_name"],
        cluster_endpoint=found["cluster_endpoint"],
        cluster_ca=found["cluster_ca"],
        cluster_security_group_id=found["cluster_security_group_id"],
        oidc_issuer=found["oidc_issuer"],
        kubernetes_version=found["kubernetes_version"],
    )


async def undo_cluster(run: Run) -> Facts:
    """With the control plane go its controllers: what they left behind in AWS is swept up after them."""
    aws, owner, data = run.aws, run.owner, run.options["data"]
    await run.step("Deleting the EKS control plane", control_plane.delete_cluster, aws, owner)
    await run.wait("Waiting for the control plane to go", control_plane.await_cluster_deleted, 40, aws, owner)
    if run.spec.cluster.existing_name:
        return {}
    await run.step("Sweeping up what Kubernetes left", leftovers.sweep, aws, owner, data)
    found = await run.wait("Waiting for what Kubernetes left to go", leftovers.await_swept, 30, aws, owner, data)
    return Facts(left=found["left"])


async def addons(run: Run) -> Facts:
    """VPC CNI with NetworkPolicy on, kube-proxy, coredns. coredns becomes ready only once there are nodes."""
    if run.spec.cluster.existing_name:
        return {}
    name = run.facts["cluster_name"]
    for addon, configuration in ADDONS.items():
        action = f"Installing add-on {addon}"
        await run.step(action, cluster_addons.ensure_addon, run.aws, run.owner, name, addon, configuration)
    for addon in ADDONS:
        await run.wait(f"Waiting for add-on {addon}", cluster_addons.await_addon, 40, run.aws, name, addon)
    return {}


async def undo_addons(run: Run) -> Facts:
    await run.step("Deleting the add-ons", cluster_addons.delete_addons, run.aws, run.owner)
    await run.wait("Waiting for the add-ons to go", cluster_addons.await_addons_deleted, 15, run.aws, run.owner)
    return {}


async def nodes(run: Run) -> Facts:
    """The managed node group, in the private subnets."""
    if run.spec.cluster.existing_name:
        return {}
    aws, known, spec = run.aws, run.facts, run.spec.nodes
    group = await run.step(
        "Creating the node group",
        node_group.ensure_node_group,
        aws,
        run.owner,
        known["cluster_name"],
        spec.group,
        known["node_role_arn"],
        known["private_subnet_ids"],
        spec.instance_type,
        spec.count,
        spec.disk_gib,
    )
    await run.wait("Waiting for the nodes", node_group.await_node_group, 30, aws, known["cluster_name"], group)
    return {}


async def undo_nodes(run: Run) -> Facts:
    """Every node group that carries the installation's tag: a change may have left another beside the spec's."""
    await run.step("Deleting the node group", node_group.delete_node_group, run.aws, run.owner)
    await run.wait("Waiting for the nodes to go", node_group.await_node_group_deleted, 30, run.aws, run.owner)
    return {}


async def database(run: Run) -> Facts:
    """The RDS instance, beside the cluster, and the passwords of the two roles; or the server that is there."""
    aws, owner, spec = run.aws, run.owner, run.spec.database
    facts = Facts(
        conductor_role_password=await run.step(
            "Storing Conductor's database password", secret_store.ensure_password, aws, owner, "conductor-role-password"
        ),
        app_role_password=await run.step(
            "Storing the app's database password", secret_store.ensure_password, aws, owner, "app-role-password"
        ),
    )
    if spec.existing:
        password = reference(spec.existing.password)
        assert password is not None  # noqa: S101 - values become references before anything is enqueued
        return Facts(
            **facts,
            db_host=spec.existing.host,
            db_port=spec.existing.port,
            db_master_username=spec.existing.username,
            db_master_secret=password,
            database_security_group_id=None,
        )
    return Facts(**facts, **await _rds_instance(run))


async def _rds_instance(run: Run) -> Facts:
    aws, owner, spec, known = run.aws, run.owner, run.spec.database, run.facts
    subnet_group = await run.step(
        "Creating the subnet group", rds.ensure_subnet_group, aws, owner, known["private_subnet_ids"]
    )
    security_group = await run.step(
        "Creating the security group", rds.ensure_security_group, aws, owner, known["vpc_id"]
    )
    instance = await run.step(
        "Creating the PostgreSQL instance",
        rds.ensure_instance,
        aws,
        owner,
        spec.engine_version,
        spec.instance_class,
        spec.storage_gib,
        spec.backup_retention_days,
        subnet_group,
        security_group,
    )
    found = await run.wait("Waiting for the PostgreSQL instance", rds.await_instance, 60, aws, instance)
    return Facts(
        database_security_group_id=security_group,
        db_host=found["db_host"],
        db_port=found["db_port"],
        db_master_username=found["db_master_username"],
        db_master_secret={"secret": found["db_master_secret_arn"], "version_id": None, "json_key": "password"},
    )


async def undo_database(run: Run) -> Facts:
    """`data=retain`: with a last snapshot, whose name comes from the operation's id, so that there is only one."""
    aws, owner, data = run.aws, run.owner, run.options["data"]
    begun = await run.step("Deleting the PostgreSQL instance", rds.delete_instance, aws, owner, data)
    found = await run.wait(
        "Waiting for the instance to go", rds.await_instance_deleted, 90, aws, owner, data, begun["snapshot"]
    )
    await run.step("Deleting the subnet group", rds.delete_subnet_group, aws, owner)
    await run.wait("Waiting for the subnet group to go", rds.await_subnet_group_deleted, 15, aws, owner)
    await run.step("Deleting the security group", rds.delete_security_group, aws, owner)
    await run.wait("Waiting for the security group to go", rds.await_security_group_deleted, 15, aws, owner)
    return Facts(
        final_snapshot={
            "id": found["snapshot"],
            "arn": found["snapshot_arn"],
            "note": begun["note"] or found["note"],
        }
    )


async def database_access(run: Run) -> Facts:
    """5432 from the cluster's security group."""
    group = run.facts["database_security_group_id"]
    if group:
        source = run.facts["cluster_security_group_id"]
        await run.step(
            "Allowing PostgreSQL from the cluster", rds.ensure_ingress_rule, run.aws, run.owner, group, source
        )
    return {}


async def undo_database_access(run: Run) -> Facts:
    """While the rule is there, EKS cannot delete the cluster's security group, which it names."""
    await run.step("Removing the ingress rule", rds.delete_ingress_rules, run.aws, run.owner)
    return {}
