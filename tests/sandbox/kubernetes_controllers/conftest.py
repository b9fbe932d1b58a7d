"""The cluster that most tests run in: two nodes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sandbox.kubernetes_controllers.cluster import Cluster


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Two ready nodes, the controllers and a kubelet."""
    (tmp_path / "ca.crt").write_text("certificate\n", encoding="utf-8")
    async with Cluster(tmp_path) as cluster:
        cluster.node("node-a")
        cluster.node("node-b")
        yield cluster
