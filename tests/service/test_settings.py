"""What the service takes from its environment."""

import socket
from pathlib import Path

import pytest

from service.settings import SettingsError, load


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "BIND", "API_KEY", "DATABASE_URL", "HOME", "LOG_LEVEL", "HELM", "EXECUTOR_ID", "WORKER_BIND"):
        monkeypatch.delenv(f"PODIUM_{name}", raising=False)


def test_without_any_setting_it_listens_on_this_machine_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load()
    assert (settings.address.host, settings.address.port) == ("127.0.0.1", 8400)
    assert settings.database == f"sqlite:///{tmp_path}/.podium/podium.sqlite"
    assert settings.key is None


@pytest.mark.parametrize("url", ["http://0.0.0.0:8400", "https://podium.example.com", "http://10.0.0.1"])
def test_without_a_key_it_refuses_other_addresses(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PODIUM_URL", url)
    with pytest.raises(SettingsError, match=r"PODIUM_API_KEY"):
        load()
    monkeypatch.setenv("PODIUM_API_KEY", "a-long-random-value")
    assert load().url == url


def test_it_may_listen_elsewhere_than_its_public_url_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODIUM_API_KEY", "a-long-random-value")
    monkeypatch.setenv("PODIUM_URL", "https://podium.example.com/")
    monkeypatch.setenv("PODIUM_BIND", "[::]:8400")
    settings = load()
    assert (settings.address.host, settings.address.port) == ("::", 8400)
    assert settings.url == "https://podium.example.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("URL", "podium.example.com"),
        ("LOG_LEVEL", "loud"),
        ("BIND", "8400"),
        ("BIND", "x:99999"),
        ("EXECUTOR_ID", "not a name"),
        ("HEARTBEAT_SECONDS", "0.01"),
        ("DEAD_AFTER_SECONDS", "12"),
        ("DRAIN_SECONDS", "-1"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"PODIUM_{name}", value)
    with pytest.raises(SettingsError, match=f"PODIUM_{name}") as raised:
        load()
    assert f"{value} " not in f"{raised.value} "


def test_secrets_do_not_show_in_the_settings_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODIUM_API_KEY", "canary-1")
    monkeypatch.setenv("PODIUM_DATABASE_URL", "postgresql://podium:canary-2@127.0.0.1/podium")
    assert "canary" not in repr(load())


def test_a_worker_is_named_after_its_machine_unless_it_is_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().executor == socket.gethostname()
    monkeypatch.setenv("PODIUM_EXECUTOR_ID", "worker-1")
    assert load().executor == "worker-1"


def test_a_worker_may_answer_probes_from_elsewhere_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODIUM_URL", "http://0.0.0.0:8400")
    monkeypatch.setenv("PODIUM_WORKER_BIND", "0.0.0.0:8401")
    assert load(public=False).worker_address.port == 8401
