import pytest

from tests.application.browser import find_chromium


@pytest.fixture(scope="session")
def chromium():
    """A browser of Playwright; without one the test is skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        try:
            # No sandbox: as root, as in most containers, Chromium has none.
            browser = started.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no Chromium: set MEDVISION_CHROMIUM, or `playwright install chromium` ({str(error)[:80]})")
        yield browser
        browser.close()
