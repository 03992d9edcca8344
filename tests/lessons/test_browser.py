"""Every lab's page in headless Chromium: silent, offline, readable in both colour schemes and on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4

from nablab.lessons import LESSONS, lesson
from nablab.lessons.page import write_page

pytestmark = pytest.mark.browser

TESTS = Path(__file__).parents[1]
EXECUTED = TESTS.parent / "docs" / "lessons"
CONTRAST = (TESTS / "contrast.js").read_text(encoding="utf-8")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens the page of a notebook; there must be no word on the console and no request but its own."""
    pages, told, requests, paths = [], [], [], []

    def open_(notebook: Any, letter: str, width: int = 1280, scheme: str = "light") -> Any:
        path = tmp_path / f"{len(pages)}.html"
        write_page(notebook, lesson(letter), path)
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        pages.append(page)
        paths.append(path.as_uri())
        return page

    yield open_
    for page in pages:
        page.close()
    assert told == []
    assert [url for url in requests if not url.startswith("data:")] == paths


def executed(letter: str) -> Any:
    return nbformat.read(EXECUTED / f"lab-{letter}.ipynb", as_version=nbformat.NO_CONVERT)


@pytest.mark.parametrize("letter", [lesson.letter for lesson in LESSONS])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(opened, letter: str, scheme: str) -> None:
    page = opened(executed(letter), letter, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("letter", [lesson.letter for lesson in LESSONS])
def test_it_reads_on_a_phone_and_every_link_leads_somewhere(opened, letter: str) -> None:
    page = opened(executed(letter), letter, width=390)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    nowhere = "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.hash.slice(1))"
    assert page.evaluate(f"{nowhere}.filter(name => !document.getElementById(name))") == []
    assert page.evaluate("[...document.images].filter(image => !image.naturalWidth).length") == 0


def test_formulas_are_drawn_and_nothing_from_an_output_runs(opened) -> None:
    harmful = (
        "<p id='here'>shown</p><script>document.title = 'ran'</script>"
        "<img src='x' onerror=\"document.title = 'ran'\">"
        "<svg xmlns='http://www.w3.org/2000/svg' onload=\"document.title = 'ran'\"></svg>"
    )
    output = v4.new_output("display_data", data={"text/html": harmful})
    cells = [
        v4.new_markdown_cell("# Lab\n\n$$\\frac{\\partial L}{\\partial w} = \\sum_i x_i$$"),
        v4.new_code_cell("1", outputs=[output]),
    ]
    page = opened(v4.new_notebook(cells=cells), "c")
    page.wait_for_timeout(100)
    assert page.title().startswith("Lab C")
    assert page.locator("#here").inner_text() == "shown"
    fraction, line = (page.locator(f"math {name}").first.bounding_box()["height"] for name in ("mfrac", "mi"))
    assert fraction > 1.5 * line  # one above the other
