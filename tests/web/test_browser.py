"""The status page in a real browser: it moves by itself, keeps what the reader did, and works without JavaScript."""

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect, sync_playwright

from steps.errors import Code, Fault, Problem
from tests.service.live import served
from tests.service.world import KEY, Story
from web.session import login_token

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
NAME = "/installations/dbos-conductor"
DENIED = Problem(Code.AWS_ACCESS_DENIED, "<img src=x onerror=alert(1)> is not allowed.", Fault.USER, True, "Allow it.")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    with served(app) as url:
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """A window that complains about every error on the console."""
    context = browser.new_context(base_url=url)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    context.close()
    assert problems == []


def sign_in(page: Page) -> None:
    page.goto(f"/login?token={login_token(KEY)}&next={NAME}")
    page.wait_for_url(lambda found: urlsplit(found).path == NAME)  # the login's own URL ends like that too


def test_the_page_follows_the_install_without_being_loaded_again(page: Page, story: Story) -> None:
    story.finish("preflight")
    sign_in(page)
    expect(page.locator("#phase-preflight")).to_have_class("phase succeeded")
    page.evaluate("window.loaded = 1")
    story.run("network")
    expect(page.locator("#phase-network")).to_have_class("phase running")
    expect(page.locator("#log")).to_contain_text("Creating the VPC: first step")
    story.fail("egress", DENIED)
    expect(page.locator("#attention")).to_contain_text(DENIED.message)
    expect(page).to_have_title("dbos-conductor · Failed · Podium")
    expect(page.get_by_role("button", name="Retry", exact=True)).to_be_visible()
    assert page.evaluate("window.loaded") == 1


def test_a_running_phases_clock_and_bar_move_between_events(page: Page, story: Story) -> None:
    story.run("preflight")
    sign_in(page)
    time = page.locator("#phase-preflight .time")
    before = time.text_content() or ""
    expect(time).not_to_have_text(before, timeout=3000)


def test_what_the_reader_opened_stays_open(page: Page, story: Story) -> None:
    story.run("preflight")
    sign_in(page)
    page.get_by_text("Cancel", exact=True).click()
    page.get_by_text("Specification", exact=True).click()
    story.finish("preflight", "network")
    expect(page.locator("#phase-network")).to_have_class("phase succeeded")
    expect(page.get_by_role("button", name="Cancel the install")).to_be_visible()
    expect(page.locator("#spec-details pre")).to_be_visible()


def test_the_buttons_work_by_keyboard(page: Page, story: Story) -> None:
    story.run("preflight")
    sign_in(page)
    page.locator("#cancel summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#summary .badge")).to_have_text("Cancelled")


def test_the_list_moves_too(page: Page, story: Story) -> None:
    sign_in(page)
    page.goto("/")
    expect(page.locator(".badge")).to_have_text("Installing")
    story.journal.operation_succeeded(story.operation.id, outputs={}, facts={})
    expect(page.locator(".badge")).to_have_text("Ready")


def test_the_page_works_without_javascript(browser: Browser, url: str, story: Story) -> None:
    story.run("preflight")
    context = browser.new_context(base_url=url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="dbos-conductor").click()
    page.get_by_text("Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel the install").click()
    expect(page.locator("#summary .badge")).to_have_text("Cancelled")
    context.close()


def test_nothing_sticks_out_sideways(page: Page, story: Story) -> None:
    story.finish("preflight", "network")
    story.fail("egress", DENIED)
    sign_in(page)
    for path in (NAME, "/", "/docs"):
        page.goto(path)
        for width in (360, 800, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
