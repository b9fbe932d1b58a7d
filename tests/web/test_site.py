"""The status page as a browser without JavaScript sees it."""

import re
from html import unescape

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from steps.errors import Code, Fault, Problem
from steps.waiting import Blocked, NeedsPerson
from tests.service.conftest import URL
from tests.service.world import KEY, Story
from web.session import login_token
from workflows.runtime import Runtime
from workflows.spec import InstallationSpec

NAME = "/installations/dbos-conductor"
DENIED = Problem(Code.AWS_ACCESS_DENIED, "<script>alert('x')</script> is not allowed.", Fault.USER, True, "Allow <it>.")


@pytest.fixture
def page(anonymous: TestClient) -> TestClient:
    """A browser that has signed in."""
    assert anonymous.post("/login", data={"api_key": KEY}).status_code == 200
    return anonymous


def csrf(text: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', text)
    assert found
    return found[1]


def test_nothing_is_shown_before_signing_in(anonymous: TestClient, story: Story) -> None:
    assert story.operation
    for path in ("/", NAME):
        response = anonymous.get(path, follow_redirects=False)
        assert response.status_code == 303
        assert response.headers["location"] == f"/login?next={path}"
    for path in ("/live", f"{NAME}/live"):
        assert anonymous.get(path).status_code == 401
    for verb in ("retry", "cancel"):
        response = anonymous.post(f"{NAME}/{verb}", data={"csrf": "x"}, follow_redirects=False)
        assert response.status_code == 303
    assert "dbos-conductor" not in anonymous.get("/").text


def test_the_api_key_signs_in(anonymous: TestClient) -> None:
    wrong = anonymous.post("/login", data={"api_key": "wrong"})
    assert wrong.status_code == 401
    assert not wrong.cookies
    right = anonymous.post("/login", data={"api_key": KEY, "next": NAME})
    assert f'url={NAME}"' in right.text
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert KEY not in cookie
    assert anonymous.get("/").status_code == 200
    assert "Sign out" in anonymous.get("/").text


def test_the_cookie_is_for_https_only_where_the_service_is(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODIUM_API_KEY", KEY)
    monkeypatch.setenv("PODIUM_URL", "https://podium.example.com")
    client = TestClient(create_app(runtime, Settings()), base_url="https://podium.example.com")
    assert "; Secure" in client.post("/login", data={"api_key": KEY}).headers["set-cookie"]


def test_a_one_time_link_signs_in_once(app: FastAPI, story: Story) -> None:
    assert story.operation
    token = login_token(KEY)
    first = TestClient(app, base_url=URL)
    welcome = first.get("/login", params={"token": token, "next": NAME})
    assert f'url={NAME}"' in welcome.text
    assert first.get(NAME).status_code == 200
    again = first.get("/login", params={"token": token, "next": NAME}, follow_redirects=False)
    assert again.headers["location"] == NAME
    second = TestClient(app, base_url=URL)
    assert second.get("/login", params={"token": token}).status_code == 401
    assert second.get("/", follow_redirects=False).status_code == 303


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(anonymous: TestClient, target: str) -> None:
    assert 'url=/"' in anonymous.post("/login", data={"api_key": KEY, "next": target}).text


def test_signing_out_needs_the_form_of_this_page(page: TestClient) -> None:
    page.post("/logout", data={"csrf": "0" * 64})
    assert page.get("/", follow_redirects=False).status_code == 200
    page.post("/logout", data={"csrf": csrf(page.get("/").text)})
    assert page.get("/", follow_redirects=False).status_code == 303


def test_every_page_carries_the_security_headers(page: TestClient, story: Story) -> None:
    assert story.operation
    for path in ("/", NAME, "/installations/none", "/docs", "/login"):
        headers = page.get(path, follow_redirects=False).headers
        assert "'unsafe" not in headers["content-security-policy"]
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"


def test_pages_hold_no_inline_script_or_style(page: TestClient, story: Story) -> None:
    story.fail("preflight", DENIED)
    for path in ("/", NAME, "/login", "/docs"):
        text = page.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]+src=)", text), path
        assert not re.search(r"(?:src|href)=\"https?:", text), path


def test_static_files_may_be_kept_since_their_address_changes(page: TestClient) -> None:
    found = re.findall(r'"(/static/[^"]+)"', page.get("/").text)
    assert {path.partition("?")[0] for path in found} >= {"/static/style.css", "/static/live.js", "/static/favicon.svg"}
    for path in found:
        answer = page.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


def test_the_list_says_how_to_start_when_there_is_nothing(page: TestClient) -> None:
    assert "A name and a region are enough" in page.get("/").text


def test_a_running_install_shows_what_it_does_and_reloads_itself(page: TestClient, story: Story) -> None:
    story.finish("preflight")
    story.run("network")
    story.journal.action(story.operation.id, "network", "EC2 says pending")
    text = page.get(NAME).text
    assert "EC2 says pending" in text
    assert "1 of 25 phases" in text
    assert "After: Creating the VPC" in text
    assert '<noscript><meta http-equiv="refresh"' in text
    assert f'action="{NAME}/cancel"' in text
    assert f'action="{NAME}/retry"' not in text


def test_what_errors_say_is_escaped(page: TestClient, story: Story) -> None:
    story.fail("preflight", DENIED)
    for path in ("/", NAME):
        text = page.get(path).text
        assert "<script>alert" not in text
        assert DENIED.message in unescape(text)
    assert "Allow &lt;it&gt;." in page.get(NAME).text


def test_what_blocks_a_delete_is_listed(page: TestClient, story: Story) -> None:
    story.run("registry")
    blocker = {"arn": "arn:aws:ec2:x:eni-1", "why": "is in the subnet", "owner": "somebody else"}
    need = Blocked("the VPC cannot be deleted yet", "Delete what is listed.", (blocker,))
    story.journal.phase_waiting(story.operation.id, "registry", "network.await_network_deleted", need)
    text = unescape(page.get(NAME).text)
    assert "<code>arn:aws:ec2:x:eni-1</code>: is in the subnet (of somebody else)" in text


def test_a_wait_shows_its_commands(page: TestClient, story: Story) -> None:
    story.run("registry")
    need = NeedsPerson("The image is missing.", "Push it.", ("docker build -t 'x' .", "docker push x"))
    story.journal.phase_waiting(story.operation.id, "registry", "registry.await_image", need)
    text = unescape(page.get(NAME).text)
    assert "docker build -t 'x' .\ndocker push x" in text
    assert "Waiting for you" in text


def test_a_ready_install_links_only_to_web_addresses(page: TestClient, story: Story) -> None:
    outputs = {
        "app_url": "http://localhost:1234/app",
        "console_url": "javascript:alert(1)",
        "cluster_name": "dbos-conductor",
        "smoke_test": {"last_step": 3},
    }
    story.journal.operation_succeeded(story.operation.id, outputs=outputs, facts={})
    text = page.get(NAME).text
    assert '<a href="http://localhost:1234/app"' in text
    assert 'href="javascript' not in text
    assert "curl http://localhost:1234/app/workflow/hello" in text
    assert "last_step: 3" in text


def test_the_buttons_act_and_come_back_to_the_page(page: TestClient, story: Story, runtime: Runtime) -> None:
    story.run("preflight")
    token = csrf(page.get(NAME).text)
    assert page.post(f"{NAME}/cancel", data={"csrf": "0" * 64}).status_code == 403
    assert page.post(f"{NAME}/cancel", json={"csrf": token}).status_code == 400
    done = page.post(f"{NAME}/cancel", data={"csrf": token}, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, NAME)
    found = runtime.ledger.installation("dbos-conductor")
    assert found is not None
    assert found.state == "CANCELLED"
    assert "Retry from an earlier phase" in page.get(NAME).text


def test_what_is_not_possible_is_said_on_the_page(page: TestClient, story: Story) -> None:
    story.run("preflight")
    refused = page.post(f"{NAME}/retry", data={"csrf": csrf(page.get(NAME).text)})
    assert refused.status_code == 409
    assert "That is not possible now: the operation is running." in refused.text
    token = csrf(refused.text)
    assert page.post("/installations/none/retry", data={"csrf": token}).status_code == 404
    assert page.post(f"{NAME}/retry", data={"csrf": token, "x": "y" * 10_000}).status_code == 400


def test_without_a_key_the_page_is_open_to_this_machine_only(
    runtime: Runtime, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PODIUM_API_KEY", raising=False)
    monkeypatch.delenv("PODIUM_URL", raising=False)
    client = TestClient(create_app(runtime, Settings()), base_url=URL)
    story.run("preflight")
    token = csrf(client.get(NAME).text)
    assert client.get(NAME, headers={"Host": "rebound.example:8400"}).status_code == 403
    assert client.post("/v1/installations/dbos-conductor:cancel", headers={"Origin": "https://x"}).status_code == 403
    assert client.post(f"{NAME}/cancel", data={"csrf": "0" * 64}).status_code == 403
    assert client.post(f"{NAME}/cancel", data={"csrf": token}).status_code == 200


def test_an_upgrade_says_what_it_changes(page: TestClient, story: Story, runtime: Runtime) -> None:
    story.finish_all()
    runtime.control.apply(InstallationSpec.model_validate(story.spec.public() | {"nodes": {"count": 7}}))
    text = unescape(page.get(NAME).text)
    assert "nodes.count" in text
    assert "<code>2</code> → <code>7</code>" in text


def test_uninstalling_needs_the_name_and_keeps_a_snapshot(page: TestClient, story: Story, runtime: Runtime) -> None:
    story.finish_all()
    token = csrf(page.get(NAME).text)
    refused = page.post(f"{NAME}/uninstall", data={"csrf": token, "name": "other"})
    assert refused.status_code == 409
    assert "repeat the installation" in unescape(refused.text)
    done = page.post(f"{NAME}/uninstall", data={"csrf": token, "name": "dbos-conductor", "data": "retain"})
    assert done.status_code == 200
    found = runtime.ledger.installation("dbos-conductor")
    assert found is not None
    assert (found.operation.kind, found.operation.options) == ("uninstall", {"data": "retain", "force": False})
    assert "/uninstall" not in done.text


def test_a_tombstone_shows_the_snapshot_what_was_left_and_the_proof(
    page: TestClient, story: Story, runtime: Runtime
) -> None:
    story.finish_all()
    operation = runtime.control.delete("dbos-conductor", data="retain", force=False)
    report = {
        "final_snapshot": {"id": "dbos-conductor-pg-final-1", "arn": "arn:aws:rds:x", "note": ""},
        "left": [{"arn": "arn:aws:ecr:dbos-app", "why": "it holds images"}],
        "proof": {"checked_at": "2026-11-24T03:00:00+00:00", "services": [{"service": "ec2"}], "leftovers": []},
    }
    story.journal.operation_succeeded(operation.id, outputs={}, facts={}, report=report)
    text = page.get(NAME).text
    for word in ("dbos-conductor-pg-final-1", "it holds images", "0 leftovers in 1 services"):
        assert word in text
