"""What a test needs from the machine, and what is said plainly when the machine has not got it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# The networks' annotations say the shapes of their tensors; here, and only here, every call is held to them.
install_import_hook("tocsin.nets", "beartype.beartype")

# A test fetches nothing that it does not say it fetches.
os.environ.setdefault("TOCSIN_OFFLINE", "1")

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
IN_CI = os.environ.get("CI") == "true"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Browser tests are left out where there is no Chromium, and fail there in CI."""
    if CHROMIUM:
        return
    for item in items:
        if item.get_closest_marker("browser"):
            if IN_CI:
                item.add_marker(pytest.mark.usefixtures("_chromium_is_missing"))
            else:
                item.add_marker(pytest.mark.skip(reason="no Chromium here; install Debian's package chromium"))


@pytest.fixture
def _chromium_is_missing() -> None:
    pytest.fail("CI must run the browser tests, and there is no Chromium on PATH")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was left out, where nobody overlooks it."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("left out")
        terminalreporter.line(f"{len(skipped)} tests were left out; the reasons stand above.")
        if not CHROMIUM:
            terminalreporter.line("The browser tests need Chromium: apt-get install chromium, then run again.")


@pytest.fixture(scope="session")
def measured_data() -> Path:
    """The folder of measured data sets (TOCSIN_DATA); a test that needs it is left out where it is not."""
    folder = Path(os.environ.get("TOCSIN_DATA", ROOT / "../shared/data")).resolve()
    if not folder.is_dir():
        if IN_CI:
            pytest.fail(f"CI must have the measured data sets; TOCSIN_DATA points to {folder}")
        pytest.skip("no measured data sets here; set TOCSIN_DATA to their folder")
    return folder
