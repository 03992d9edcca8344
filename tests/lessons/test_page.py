"""What a lab's page is made of: texts, formulas, code and outputs, and nothing that runs or loads."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import pytest
from nbformat import v4

from nablab.errors import NablabError
from nablab.lessons import lesson
from nablab.lessons.figures import MIME
from nablab.lessons.markdown import Texts, code_html
from nablab.lessons.mathematics import mathml
from nablab.lessons.outputs import outputs_html
from nablab.lessons.page import render_page
from nablab.lessons.safe_html import safe_html

MATHML = "{http://www.w3.org/1998/Math/MathML}"


def elements(latex: str, name: str) -> list[str]:
    root = ElementTree.fromstring(mathml(latex))
    return ["".join(element.itertext()) for element in root.iter(MATHML + name)]


@pytest.mark.parametrize(
    ("latex", "name", "texts"),
    [
        ("x^2", "msup", ["x2"]),
        (r"\frac{\partial L}{\partial w}", "mfrac", ["∂L∂w"]),
        (r"\tfrac12", "mfrac", ["12"]),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "mtr", ["a=b", "c=d"]),
        (r"\begin{cases} 0 & x < 0 \\ x & x \ge 0 \end{cases}", "mtr", ["0x<0", "xx≥0"]),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "mtd", ["1", "2", "3", "4"]),
        (r"\sqrt{n}", "msqrt", ["n"]),
        (r"\Bigl\lfloor \frac{n}{2} \Bigr\rfloor", "mfrac", ["n2"]),
        (r"\sum_{i=1}^n x_i", "msub", ["xi"]),
        (r"\text{softmax}(z)", "mtext", ["softmax"]),
    ],
)
def test_formulas_keep_their_structure(latex: str, name: str, texts: list[str]) -> None:
    assert elements(latex, name) == texts


def test_a_function_stands_apart_from_what_it_is_applied_to_but_not_from_a_bracket() -> None:
    root = ElementTree.fromstring(mathml(r"\log x + \log(x)"))
    assert [e.get("rspace") for e in root.iter(MATHML + "mo") if e.text == "log"] == ["0.1667em", "0"]


@pytest.mark.parametrize("latex", [r"\nosuch{x}", "a & b", r"\frac{a}{", r"a \\ b", r"\begin{aligned} a"])
def test_what_is_no_formula_is_refused(latex: str) -> None:
    with pytest.raises(NablabError, match=r"^the formula .* (is not understood|has lines)"):
        mathml(latex)


HARMFUL = [
    "<script>go()</script>",
    "<SCRIPT src='https://example.org/x.js'></SCRIPT>",
    "<img src=x onerror=go()>",
    "<img src='https://example.org/x.png'>",
    "<img src='data:text/html,<script>go()</script>'>",
    "<a href='javascript:go()'>x</a>",
    "<a href='https://example.org'>x</a>",
    "<iframe srcdoc='<script>go()</script>'></iframe>",
    "<svg onload=go()><script>go()</script></svg>",
    "<svg><use href='https://example.org/x.svg#a'/></svg>",
    "<svg><a xlink:href='javascript:go()'>x</a></svg>",
    "<p style='background: url(https://example.org/x.png)'>x</p>",
    "<p style='background: u\\72l(https://example.org/x.png)'>x</p>",
    "<style>@import 'https://example.org/x.css'</style>",
    "<link rel=stylesheet href=https://example.org/x.css>",
    "<form action='https://example.org'><input name=x></form>",
    "<object data='https://example.org'></object>",
    "<body background='https://example.org/x.png'>",
    "<math href='javascript:go()'><mi>x</mi></math>",
    "<div><template><script>go()</script></template></div>",
    "<title><script>go()</script></title>",
    "<script>go()",
    "<!--><script>go()</script>-->",
    "<svg><style><img src=x onerror=go()></style></svg>",
    "<p \x00onclick=go()>",
]


@pytest.mark.parametrize("harmful", HARMFUL)
def test_nothing_that_runs_or_loads_is_left(harmful: str) -> None:
    left = safe_html(f"<p>before</p>{harmful}")
    assert left.startswith("<p>before</p>")
    tags = "".join(re.findall(r"<[^>]*>", left))
    assert not re.search(r"script|go\(\)|example\.org|\bon\w+=|iframe|style|form|link|object|url", tags)


@pytest.mark.parametrize(
    "kept",
    [
        '<table><tr><td style="text-align: right" colspan="2">1 &lt; 2</td></tr></table>',
        '<a href="#part">part</a>',
        '<img src="data:image/png;base64,AAAA" alt="a figure">',
        '<svg viewbox="0 0 1 1"><title>seen</title><path d="M0 0h1" fill="url(#shade)"></path></svg>',
        "<details><summary>more</summary><p>text</p></details>",
        mathml("x_1"),
    ],
)
def test_what_only_shows_stays(kept: str) -> None:
    assert safe_html(kept) == kept


def test_elements_that_were_left_open_are_closed() -> None:
    assert safe_html("<div><b>x") == "<div><b>x</b></div>"
    assert safe_html("<b>x</div></b></b>y") == "<b>x</b>y"


def test_headings_have_names_and_rows() -> None:
    texts = Texts()
    html = texts.html(
        "# Lab\n\n## What `backward()` walks · A2\n\n"
        "## Again <small>· E1, E1b</small>\n\n## Again\n\n## 3 · 4 is 12"
    )
    assert [(h.level, h.text, h.rows, h.name) for h in texts.headings] == [
        (1, "Lab", "", "lab"),
        (2, "What backward() walks", "A2", "what-backward-walks"),
        (2, "Again", "E1, E1b", "again"),
        (2, "Again", "", "again-2"),
        (2, "3 · 4 is 12", "", "3-4-is-12"),
    ]
    assert '<h2 id="again">Again <small class="rows">E1, E1b</small></h2>' in html


def test_a_heading_without_words_still_has_a_name() -> None:
    texts = Texts()
    assert texts.html("##") == '<h2 id="section"></h2>\n'
    assert texts.headings[0].text == ""


def test_markdown_with_formulas_tables_and_code() -> None:
    html = Texts().html("It costs 5\\$ or 6\\$.\n\n$x < y$\n\n| a |\n|---|\n| $z$ |\n\n```python\nx = 1\n```")
    assert html.count("<math") == 2
    assert "5$ or 6$" in html
    assert "<td><span" in html
    assert '<span class="mi">1</span>' in html


def test_code_is_marked_and_escaped() -> None:
    html = code_html("def f(x):\n    return x < 1  # <b>")
    assert '<span class="k">def</span>' in html
    assert "&lt;b&gt;" in html


def output(**data: object):
    return v4.new_code_cell(
        "1",
        outputs=[v4.new_output("display_data", data={k.replace("_", "/", 1): v for k, v in data.items()})],
    )


def test_outputs_in_their_richest_form() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>go()</script></svg>'
    found = outputs_html(output(**{"image_svg+xml": svg, "text_plain": "<nablab object>"}))
    encoded = re.fullmatch(r'<figure.*src="data:image/svg\+xml;base64,(.*)" alt="figure"></figure>', found)
    assert encoded is not None
    assert base64.b64decode(encoded[1]).decode() == svg  # as an image, a browser does not run it
    assert 'src="data:image/png;base64,AAAA"' in outputs_html(output(image_png="AA\nAA\n"))
    assert outputs_html(output(text_plain="a < b", text_html="<b>a</b><script>x</script>")) == (
        '<div class="html scroll"><b>a</b></div>'
    )
    assert "<td>1</td>" in outputs_html(output(text_markdown="| a |\n|---|\n| 1 |"))
    assert "<msup>" in outputs_html(output(text_latex="$x^2$"))
    assert outputs_html(output(text_plain="a < b")) == '<pre class="result">a &lt; b</pre>'


def test_a_stream_loses_its_colours_and_an_error_is_escaped() -> None:
    cell = v4.new_code_cell("1")
    cell.outputs = [
        v4.new_output("stream", name="stdout", text="\x1b[31m<red>\x1b[0m\n"),
        v4.new_output("error", ename="E", evalue="<v>", traceback=["\x1b[1mTraceback\x1b[0m", "E: <v>"]),
    ]
    assert outputs_html(cell) == (
        '<pre class="stdout">&lt;red&gt;</pre>\n<pre class="error">Traceback\nE: &lt;v&gt;</pre>'
    )


def test_a_figure_is_a_line_with_what_was_found() -> None:
    figure = {"row": "C1", "what": "a <b>", "found": "3", "expected": "4", "on": "exact", "met": False}
    html = outputs_html(output(**{"text_plain": "", MIME.replace("/", "_", 1): figure}))
    assert 'class="figure unmet"' in html
    assert "a &lt;b&gt;: <output>3</output> <span>expected 4</span>" in html
    assert "exact" not in html


def test_the_page_of_a_notebook_is_always_the_same_and_forbids_scripts() -> None:
    notebook = v4.new_notebook(
        cells=[v4.new_markdown_cell("# Lab\n\n## One · C1"), v4.new_code_cell("1 < 2"), v4.new_code_cell("")]
    )
    page = render_page(notebook, lesson("c"))
    assert page == render_page(notebook, lesson("c"))
    assert "default-src 'none'" in page
    assert page.count('<div class="cell') == 1
    assert '<li><a href="#one">One <small>C1</small></a></li>' in page


def test_code_that_only_draws_is_folded_and_its_picture_is_not() -> None:
    drawn = v4.new_output("display_data", {"text/plain": "a picture"})
    cells = [
        v4.new_code_cell("draw()", metadata={"tags": ["hide-input"]}, outputs=[drawn]),
        v4.new_code_cell("compute()"),
    ]
    page = render_page(v4.new_notebook(cells=cells), lesson("b"))
    folded = re.findall(r"<details>.*?</details>", page, flags=re.DOTALL)
    assert len(folded) == 1
    assert "draw" in folded[0]
    assert "compute" not in folded[0]
    assert "a picture" not in folded[0]
    assert "a picture" in page
