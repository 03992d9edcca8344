"""The report in headless Chromium: silent, offline, at home in both colour schemes and on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nablab.report.html import write_html

pytestmark = pytest.mark.browser

CONTRAST = (Path(__file__).parents[1] / "contrast.js").read_text(encoding="utf-8")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(view, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_html(view, path)
    return path


@pytest.fixture
def opened(browser, report):
    """Opens the report; afterwards there must have been no word on the console and no request but its own."""
    pages, told, requests = [], [], []

    def open_(width: int = 1280, scheme: str = "light", **options) -> Any:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(report.as_uri())
        pages.append(page)
        return page

    yield open_
    for page in pages:
        page.close()
    assert told == []
    assert [url for url in requests if not url.startswith("data:")] == [report.as_uri()] * len(pages)


def paper(page: Any) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_both_colour_schemes_and_the_button_between_them(opened) -> None:
    light, dark = opened(scheme="light"), opened(scheme="dark")
    assert paper(light) == "rgb(251, 250, 247)"
    assert paper(dark) == "rgb(20, 22, 26)"
    for page, other in ((light, dark), (dark, light)):
        expected = paper(other) if page is light else "rgb(251, 250, 247)"
        page.click("#theme")
        assert paper(page) == expected


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(opened, scheme: str) -> None:
    """Words and numbers stand out from what they are written on (contrast of 4.5, WCAG AA)."""
    page = opened(scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_of_the_page(opened, width: int) -> None:
    page = opened(width)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [390, 1280])
def test_long_names_of_classes_stay_in_the_page(browser, view, tmp_path: Path, width: int) -> None:
    names = tuple(f"{'L' * 120}{k}" for k in range(len(view.data.classes)))
    sections = [
        replace(
            s, confusion=s.confusion and replace(s.confusion, classes=_renamed(s.confusion.classes, names))
        )
        for s in view.sections
    ]
    path = tmp_path / "report.html"
    write_html(replace(view, data=replace(view.data, classes=names), sections=tuple(sections)), path)
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


def test_names_of_one_word_are_whole_on_a_phone(opened) -> None:
    page = opened(390)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    broken = """() => [...document.querySelectorAll('.plain .name')].filter(cell => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return !cell.textContent.includes(' ') && range.getBoundingClientRect().height > 30;
    }).map(cell => cell.textContent)"""
    assert page.evaluate(broken) == []


def _renamed(classes, names: tuple[str, ...]):
    return tuple(replace(one, name=name) for one, name in zip(classes, names, strict=True))


def test_a_cell_of_the_matrix_shows_the_pictures_behind_it(opened) -> None:
    page = opened()
    cell = page.locator("#model-1 .matrix a:not(.opened)").first
    target = cell.get_attribute("href")
    assert not page.locator(target).is_visible()
    cell.click()
    assert page.locator(target).is_visible()
    assert page.locator("#model-1 .pictures:visible").count() == 1
    box = page.locator(f"{target} svg.picture").first.bounding_box()
    assert box["width"] > 40
    assert abs(box["width"] - box["height"]) < 2


def test_arrow_keys_walk_over_the_cells(opened) -> None:
    page = opened()
    cells = page.locator("#model-1 .matrix a")
    assert page.locator("#model-1 .matrix a[tabindex='0']").count() == 1
    cells.first.focus()
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("document.activeElement.hash")
    assert focused != cells.first.get_attribute("href")
    assert page.locator(focused).is_visible()


def test_it_works_without_its_script(opened) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator("h1").is_visible()
    assert page.locator("#model-1 .pictures.opened").is_visible()
    cell = page.locator("#model-1 .matrix a:not(.opened)").first
    target = cell.get_attribute("href")
    cell.click()
    assert page.locator(target).is_visible()
    assert page.locator("#model-1 .pictures:visible").count() == 1


def test_a_column_sorts_both_ways_with_missing_values_last(opened) -> None:
    page = opened()
    head = page.locator("th[data-column]", has_text="Parameters")
    column = int(head.get_attribute("data-column"))

    def values() -> list[str]:
        rows = "[...document.querySelectorAll('.comparison tbody tr')]"
        return page.evaluate(f"{rows}.map(row => row.cells[{column}].dataset.value)")

    head.locator("button").click()
    up = values()
    numbers = [float(value) for value in up if value]
    assert numbers == sorted(numbers)
    assert "" in up
    assert up[len(numbers) :] == [""] * (len(up) - len(numbers))
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").click()
    down = values()
    assert [float(value) for value in down if value] == sorted(numbers, reverse=True)
    assert down[-1] == ""


def test_every_cell_stands_under_its_head(opened) -> None:
    page = opened()
    shifted = page.evaluate(
        """() => [...document.querySelectorAll(".comparison thead [data-column]")].filter(head => {
          const cell = document.querySelector(".comparison tbody tr").cells[head.dataset.column];
          const [a, b] = [head, cell].map(e => e.getBoundingClientRect());
          return Math.abs(a.left - b.left) > 1 || Math.abs(a.right - b.right) > 1;
        }).map(head => head.textContent)"""
    )
    assert shifted == []


def test_pictures_are_crisp(opened) -> None:
    page = opened()
    rendering = "getComputedStyle(document.querySelector('.store image')).imageRendering"
    assert page.evaluate(rendering) == "pixelated"


def test_paper_is_light_and_shows_what_is_folded(opened) -> None:
    page = opened(scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert (
        page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper').trim()")
        == "#fbfaf7"
    )
    assert not page.locator("nav").is_visible()
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
