from workflows.install.infrastructure import addons, cluster, database, nodes


async def kubernetes(run, version):
    return {}
