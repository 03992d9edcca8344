from __future__ import annotations

from nablab.api.sheet import Sheet

SHEET = Sheet(
    ("name", "images"),
    (("a [bold]", "10"), ("<b>", "1,000")),
    title="Some & more",
    notes=("that is all",),
    right=frozenset({"images"}),
)


def test_text_is_shown_as_it_is_and_numbers_stand_right() -> None:
    lines = repr(SHEET).splitlines()
    assert lines[0].strip() == "Some & more"
    assert lines[-1] == "that is all"
    assert any(line.split() == ["a", "[bold]", "10"] for line in lines)
    ends = {line.rindex("0") for line in lines if line.endswith("0")}
    assert len(ends) == 1


def test_html_is_escaped() -> None:
    html = SHEET._repr_html_()
    assert "&lt;b&gt;" in html
    assert "Some &amp; more" in html
    assert "<b>" not in html
    assert '<td style="text-align: right">1,000</td>' in html


def test_records_are_by_heading() -> None:
    assert SHEET.records()[1] == {"name": "<b>", "images": "1,000"}
    assert len(SHEET) == 2
    assert next(iter(SHEET)) == ("a [bold]", "10")
