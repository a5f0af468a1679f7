"""Chromium without a screen, for MLflow's real pages."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1400",
)


SECONDS = 180
"""How long a page may take; charts are drawn without a graphics card, maybe on a machine that has other work."""


def missing() -> str:
    """Say what a browser test lacks here; nothing where it can run."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"needs {' and '.join(lacking)} (Debian: chromium, chromium-driver)" if lacking else ""


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """Start a browser with an empty profile, and end it."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_script_timeout(SECONDS)
    driver.set_page_load_timeout(SECONDS)
    try:
        yield driver
    finally:
        driver.quit()


def awaited(driver: Any, found: Callable[[str], bool]) -> str:
    """Return the text of the page once it is as wanted."""
    end, text = time.monotonic() + SECONDS, ""
    while time.monotonic() < end:
        text = str(driver.execute_script("return document.body ? document.body.innerText : ''"))
        if found(text):
            return text
        time.sleep(0.1)
    raise TimeoutError(f"after {SECONDS} seconds the page still says: {text[:2000]}")
