"""What is in volumes, when it is renewed, and that readers never see half of it."""

import asyncio
import os
from pathlib import Path

import pytest

from sandbox.nodes import volume_files
from sandbox.nodes.api import SECRETS, ApiError, Client, Object, Resource
from sandbox.nodes.environment import ConfigError, Lookup
from sandbox.nodes.volume_files import File
from sandbox.nodes.volume_sources import Sources, Tokens, references
from sandbox.nodes.volumes import PodVolumes

POD: Object = {"metadata": {"name": "p", "namespace": "dbos", "uid": "u", "labels": {"b": "2", "a": 'x"y'}}, "spec": {}}
SECRET: Object = {"data": {"a": "MQ==", "b": "Mg=="}}


class Issuer(Client):
    """Makes tokens t1, t2 … that live as long as asked; knows one Secret."""

    def __init__(self, refusal: ApiError | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self._refusal = refusal

    async def create_token(self, pod: Object, audience: str, seconds: int) -> tuple[str, float]:
        if self._refusal:
            raise self._refusal
        self.asked.append((audience, seconds))
        return f"t{len(self.asked)}", float(seconds)

    async def find(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        return SECRET if (resource, name) == (SECRETS, "s") else None


def sources(client: Client) -> Sources:
    return Sources(POD, Lookup(client, "dbos"), Tokens(client), {})


def projected(*parts: Object, **more: object) -> Object:
    return {"name": "v", "projected": {"sources": list(parts), **more}}


TOKEN: Object = {"serviceAccountToken": {"path": "token", "expirationSeconds": 600}}


async def test_a_token_is_asked_for_again_when_four_fifths_of_its_life_are_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("sandbox.nodes.volume_sources.time.monotonic", lambda: now)
    issuer = Issuer()
    read = sources(issuer)
    assert (await read.files(projected(TOKEN)))["token"].content == b"t1"
    assert read.tokens.next_renewal == 1480.0
    now = 1479.0
    assert (await read.files(projected(TOKEN)))["token"].content == b"t1"
    now = 1480.0
    assert (await read.files(projected(TOKEN)))["token"].content == b"t2"
    assert issuer.asked == [("", 600), ("", 600)]


async def test_without_a_token_api_there_is_no_token_but_other_refusals_count() -> None:
    unknown = Issuer(ApiError(501, "NotImplemented", "no tokens"))
    assert await sources(unknown).files(projected(TOKEN)) == {}
    with pytest.raises(ApiError):
        await sources(Issuer(ApiError(403, "Forbidden", "no"))).files(projected(TOKEN))


async def test_a_projected_volume_has_the_files_and_modes_that_it_asks_for() -> None:
    some = {"secret": {"name": "s", "items": [{"key": "b", "path": "deep/b", "mode": 0o400}]}}
    labels = {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}}
    optional = {"configMap": {"name": "gone", "optional": True}}
    assert await sources(Issuer()).files(projected(some, labels, optional, defaultMode=0o440)) == {
        "deep/b": File(b"2", 0o400),
        "labels": File(b'a="x\\"y"\nb="2"', 0o440),
    }


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"secret": {"name": "gone"}}, 'secret "gone" not found'),
        ({"secret": {"name": "s", "items": [{"key": "c", "path": "c"}]}}, "references non-existent secret key: c"),
        ({"clusterTrustBundle": {"path": "x"}}, "cannot project clusterTrustBundle"),
    ],
)
async def test_what_cannot_be_shown_is_said(part: Object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        await sources(Issuer()).files(projected(part))


def test_a_volumes_references_are_known() -> None:
    volumes = [{"secret": {"secretName": "a"}}, projected({"secret": {"name": "b"}}, {"configMap": {"name": "c"}})]
    assert references(volumes) == {("Secret", "a"), ("Secret", "b"), ("ConfigMap", "c")}


def test_files_change_together_and_only_when_they_differ(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    assert volume_files.write(folder, {"a": File(b"1"), "deep/b": File(b"1", 0o400)})
    before = os.readlink(folder / "..data")
    assert not volume_files.write(folder, {"a": File(b"1"), "deep/b": File(b"1", 0o400)})
    assert os.readlink(folder / "..data") == before
    assert os.readlink(folder / "a") == "..data/a"
    assert (folder / "deep/b").stat().st_mode & 0o777 == 0o400
    assert volume_files.write(folder, {"c": File(b"2")})
    assert sorted(os.listdir(folder)) == sorted(["..data", os.readlink(folder / "..data"), "c"])
    assert (folder / "c").read_bytes() == b"2"


async def test_keeping_fresh_ends_also_when_something_changes_at_the_same_moment(tmp_path: Path) -> None:
    pod = {"metadata": POD["metadata"], "spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]}}
    volumes = PodVolumes(lambda: pod, tmp_path, Issuer(), {}, lambda reason, message: None)
    await volumes.set_up()
    fresh = asyncio.create_task(volumes.keep_fresh())
    await asyncio.sleep(0)
    volumes.changed("Pod", "p")
    await asyncio.sleep(0)
    fresh.cancel()
    assert await asyncio.wait([fresh], timeout=2) == ({fresh}, set())
