"""How the client talks: which connections, what is repeated, what is logged, and when the package is imported."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from steps.clients.kubernetes import Kube
from steps.clients.kubernetes.transport import BODY_LOGGER
from steps.errors import Code, TransientError
from tests.steps_kubernetes.recorded_api import Cut, RecordedApi

SETTINGS = "/api/v1/namespaces/dbos/configmaps/settings"
SECRET = "/api/v1/namespaces/dbos/secrets/key"
CREATE = "POST /api/v1/namespaces/dbos/configmaps"
CONFIG_MAP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "dbos"},
}
PACKAGE_UNUSED = """
import sys
from steps.clients.kubernetes import Kube
Kube("https://127.0.0.1:1", "", lambda: "token").close()
sys.exit("kubernetes" in sys.modules)
"""


@pytest.fixture
def distrustful(api: RecordedApi, tmp_path: Path) -> Iterator[Kube]:
    """A client that trusts another authority than the API's."""
    (tmp_path / "other").mkdir()
    other = RecordedApi(tmp_path / "other")
    other.close()
    client = Kube(api.endpoint, other.ca_data, lambda: "token")
    yield client
    client.close()


def test_the_package_is_not_imported_before_the_first_call() -> None:
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", PACKAGE_UNUSED], cwd=root, check=False, timeout=30)
    assert ended.returncode == 0


def test_calls_share_one_connection(api: RecordedApi, kube: Kube) -> None:
    for _ in range(3):
        kube.apply(CONFIG_MAP)
        kube.get("ConfigMap", "settings", "dbos")
    assert api.connections == 1


def test_phases_side_by_side_keep_their_connections(
    api: RecordedApi, kube: Kube, caplog: pytest.LogCaptureFixture
) -> None:
    kube.apply(CONFIG_MAP)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: kube.get("ConfigMap", "settings", "dbos"), range(96)))
    assert found == [CONFIG_MAP] * 96
    assert api.connections <= 16
    assert "pool is full" not in caplog.text


def test_a_merge_patch_takes_a_field_away(api: RecordedApi, kube: Kube) -> None:
    kube.apply(CONFIG_MAP | {"data": {"a": "1", "b": "2"}})
    kube.patch("ConfigMap", "settings", "dbos", {"data": {"a": None}})
    assert api.bodies[f"PATCH {SETTINGS}"] == {"data": {"a": None}}
    assert api.objects[SETTINGS]["data"] == {"b": "2"}


def test_an_empty_body_is_sent_as_an_empty_object(api: RecordedApi, kube: Kube) -> None:
    path = "/api/v1/namespaces/dbos/services/conductor:8090/proxy/v2/orgs/local/apps/my-app"
    api.answer(f"PUT {path}", 204, "")
    answer = kube.service_request("dbos", "conductor", 8090, "PUT", "/v2/orgs/local/apps/my-app", body={})
    assert (answer.status, api.bodies[f"PUT {path}"]) == (204, {})


@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_an_answer_that_breaks_off_is_transient_and_only_a_reading_is_repeated(
    api: RecordedApi, kube: Kube, verb: str
) -> None:
    call = f"GET {SETTINGS}" if verb == "GET" else CREATE
    api.answer(call, 200, Cut('{"kind": '))
    with pytest.raises(TransientError) as caught:
        kube.get("ConfigMap", "settings", "dbos") if verb == "GET" else kube.create(CONFIG_MAP)
    assert caught.value.code is Code.KUBERNETES_UNAVAILABLE
    assert api.calls == [call] * (3 if verb == "GET" else 1)


def test_an_answer_that_does_not_come_in_time_is_transient_and_nothing_is_repeated(
    api: RecordedApi, kube: Kube
) -> None:
    api.answer("POST /api/v1/namespaces/dbos/services/conductor:8090/proxy/tokens", 200, "late")
    kube.get("ConfigMap", "settings", "dbos")
    with api.held(), pytest.raises(TransientError, match="ReadTimeoutError"):
        kube.service_request("dbos", "conductor", 8090, "POST", "/tokens", body={}, timeout=0.05)
    assert api.connections == 1


def test_an_api_with_a_certificate_of_another_authority_is_not_talked_to(api: RecordedApi, distrustful: Kube) -> None:
    with pytest.raises(TransientError, match="SSLError"):
        distrustful.get("ConfigMap", "settings", "dbos")
    assert api.calls == []


def test_a_redirect_is_not_followed(api: RecordedApi, kube: Kube) -> None:
    api.answer("GET /api/v1/namespaces/dbos/services/conductor:8090/proxy/", 302, "moved")
    assert kube.service_request("dbos", "conductor", 8090, "GET", "/").status == 302
    assert len(api.calls) == 1


def test_proxies_of_the_environment_are_not_asked(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert kube.get("ConfigMap", "settings", "dbos") is None


def test_bodies_and_tokens_are_never_logged(api: RecordedApi, kube: Kube, caplog: pytest.LogCaptureFixture) -> None:
    api.objects[SECRET] = {"kind": "Secret", "metadata": {"name": "key"}, "data": {"api-key": "canary"}}
    kube.get("Secret", "missing", "dbos")
    logger = logging.getLogger(BODY_LOGGER)
    logger.disabled = False
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, BODY_LOGGER):
        logger.debug("response body: %s", "canary")
        kube.get("Secret", "key", "dbos")
    assert "canary" not in caplog.text
    assert "Bearer" not in caplog.text
    assert f"GET {SECRET}" in api.calls
