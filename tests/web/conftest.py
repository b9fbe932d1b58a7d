"""The service's fixtures: the page is tried on the whole application."""

from tests.service.conftest import _logged_by_pytest, anonymous, app, runtime, settings, story, tables

__all__ = ["_logged_by_pytest", "anonymous", "app", "runtime", "settings", "story", "tables"]
