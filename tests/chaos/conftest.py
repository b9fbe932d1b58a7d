"""The run without a crash that all others are compared with: one for the whole session."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.chaos.matrix import INSTALL, UNINSTALL, Lived, Site
from tests.chaos.picture import account_picture, installed_picture


@dataclass(frozen=True)
class Reference:
    """Install and uninstall, nobody dying, and what was to be seen after each."""

    install: Lived
    installed: list[str]
    uninstall: Lived
    uninstalled: list[str]


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    with Site(tmp_path_factory.mktemp("reference"), "sqlite") as site:
        install = site.run("install", INSTALL, None)
        installed = installed_picture(site.env)
        uninstall = site.run("uninstall", UNINSTALL, None)
        yield Reference(install, installed, uninstall, account_picture(site.env))
