"""Conductor and Console as the node agent starts them."""

import sys
from pathlib import Path

import httpx2
import pytest

from sandbox.nodes.api import Client
from sandbox.nodes.images.registry import ContainerSpec, ImageContext, StartError, find
from sandbox.processes import free_port
from tests.sandbox.conductor.conftest import CANARY_KEY, Databases, empty, eventually_async


def container(folder: Path, image: str, ports: dict[int, int], env: dict[str, str]) -> ContainerSpec:
    return ContainerSpec(
        name="main",
        image=image,
        command=None,
        args=[],
        env=env,
        ports=ports,
        pod_name="pod",
        namespace="dbos",
        pod_ip="10.0.0.1",
        directory=folder,
        log=folder / "container.log",
        mounts={},
    )


async def answers(port: int, path: str) -> str:
    """The body of a 200; empty otherwise."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        try:
            answer = await http.get(f"http://127.0.0.1:{port}{path}")
        except httpx2.TransportError:
            return ""
        return answer.text if answer.status_code == 200 else ""


@pytest.fixture
def context(tmp_path: Path) -> ImageContext:
    return ImageContext(
        api=Client("https://127.0.0.1:9", verify=False, token=None),
        app_python=Path(sys.executable),
        postgres_bin=tmp_path,
        resolve=lambda host, port: (host, port),
        endpoints=lambda *_: [],
    )


@pytest.mark.parametrize("console_port", [8080, 80])
async def test_the_console_shows_the_conductor_it_reaches(
    databases: Databases, context: ImageContext, tmp_path: Path, console_port: int
) -> None:
    empty(databases)
    conductor_port, port = free_port(), free_port()
    env = {"DBOS__CONDUCTOR_DB_URL": databases.conductor, "DBOS_CONDUCTOR_LICENSE_KEY": CANARY_KEY}
    conductor_image, console_image = find("dbosdev/conductor"), find("mirror.example/dbosdev/console:1.0")
    assert conductor_image is not None
    assert console_image is not None
    address = f"127.0.0.1:{conductor_port}"
    console = await console_image.start(
        container(tmp_path, "dbosdev/console", {console_port: port}, {"DBOS_CONDUCTOR_URL": address}), context
    )
    await eventually_async(lambda: answers(port, "/health"))
    assert "not reachable" in await answers(port, "/")
    spec = container(tmp_path, "dbosdev/conductor", {8090: conductor_port}, env)
    conductor = await conductor_image.start(spec, context)
    try:
        await eventually_async(lambda: answers(conductor_port, "/healthz"))
        async with httpx2.AsyncClient(trust_env=False) as http:
            await http.put(f"http://{address}/v2/orgs/local/apps/dbos-app")
        page = await answers(port, "/")
        assert address in page
        assert "connected" in page
        assert "dbos-app: unavailable" in page
    finally:
        await conductor.stop(5)
        await console.stop(5)
    assert await conductor.wait() == 143
    await context.api.aclose()


async def test_an_image_from_before_the_api_is_chosen_by_its_tag(
    databases: Databases, context: ImageContext, tmp_path: Path
) -> None:
    port, image = free_port(), "dbosdev/conductor:before-api"
    found = find(image)
    assert found is not None
    spec = container(tmp_path, image, {8090: port}, {"DBOS__CONDUCTOR_DB_URL": databases.conductor})
    conductor = await found.start(spec, context)
    try:
        await eventually_async(lambda: answers(port, "/healthz"))
        assert not await answers(port, "/v2/orgs/local/apps")
    finally:
        await conductor.stop(5)
    await context.api.aclose()


async def test_a_port_that_the_image_does_not_listen_on_is_told(context: ImageContext, tmp_path: Path) -> None:
    for image, words in (("dbosdev/console", "listens on 8080"), ("dbosdev/conductor", "listens on 8090")):
        found = find(image)
        assert found is not None
        with pytest.raises(StartError, match=words):
            await found.start(container(tmp_path, image, {9999: 1}, {}), context)
    await context.api.aclose()
