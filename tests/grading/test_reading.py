"""Numbers, tables and sentences: what counts as a claim, about which model, and what is left alone."""

from __future__ import annotations

import time

import pytest

from nablab.analysis.results import load_results
from nablab.grading.claims import check_tables
from nablab.grading.notebook import Cell
from nablab.grading.outline import Names, Place
from nablab.grading.prose import check_prose
from nablab.grading.texts import html_tables, html_words, markdown_tables, quantities
from nablab.grading.truths import Truths
from nablab.report.words import bytes_, number, percent, seconds, short


@pytest.mark.parametrize("value", [0.0, 0.05, 0.8734, 0.99949, 1.0])
def test_percentages_are_read_as_reports_write_them(value):
    for digits in (0, 1, 2):
        (said,) = quantities(percent(value, digits))
        assert said.means(value)
        assert not said.means(value + 1.01 * 10 ** -(digits + 2))


@pytest.mark.parametrize("value", [0, 7, 650, 9_996, 109_295, 431_080, 8_900_000, 1_234_567_890])
def test_counts_are_read_as_reports_write_them(value):
    assert quantities(number(value))[0].means(value)
    assert quantities(short(value))[0].means(value)
    assert quantities(bytes_(value))[0].means(value)
    if value:
        assert not quantities(number(value))[0].means(value + 1)


@pytest.mark.parametrize("value", [1.2e-6, 0.000368, 0.0218, 0.999, 2.5, 59.9, 125.0, 4359.0])
def test_times_are_read_as_reports_write_them(value):
    (said,) = quantities(seconds(value))
    assert said.unit == "s"
    assert said.means(value)
    assert not said.means(value * 1.03)


def test_names_and_versions_are_no_numbers():
    assert quantities("relu6, lenet-5, 2x3 and v1.2.3 of x_4") == []


def test_tables_of_both_kinds():
    (table,) = markdown_tables(
        "**10 % of it**\n\n| model | acc |\n| :-- | --: |\n| my\\_net | `0.9` |\n\nend"
    )
    assert (table.title, table.headers, table.rows) == ("10 % of it", ("model", "acc"), (("my_net", "0.9"),))
    page = (
        "<style>td{}</style><table><caption>c</caption><tr><th>a</th></tr><tr><td>1 &lt; 2</td></tr></table>x"
    )
    (table,) = html_tables(page)
    assert (table.title, table.headers, table.rows) == ("c", ("a",), (("1 < 2",),))
    assert html_words(page) == "x"
    assert html_tables("<td></tr><table><td>") == ()


def test_labels_are_whole_words_however_they_are_written():
    names = Names(["net_linear", "mlp", "mlp-2", "network"])
    assert [label for *_, label in names.found("Net-Linear beats MLP; mlp-2, xmlp and mlp-22 aside")] == [
        "net_linear", "mlp", "mlp-2",
    ]  # fmt: skip
    assert names.found("my network") == []
    assert Names(["Best", "Residual"]).found("the best accuracy is 93 %, a residual block helps") == []
    assert Names(["Best"]).only("Best") == "Best"
    assert names.only("the `network`") == "network"


@pytest.fixture(scope="module")
def truths(made):
    return Truths(load_results(made / "results"))


def found(truths, sentence, model=""):
    names = Names(truths.results.labels)
    done = check_prose(Place(Cell(1, "markdown", sentence), (), model), truths, names)
    return done.numbers, len(done.findings)


RIGHT, WRONG, NONE = (1, 0), (1, 1), (0, 0)


@pytest.mark.parametrize(
    ("sentence", "what"),
    [
        ("The mlp reaches {a:.1f} %.", RIGHT),
        ("The mlp reaches {a:.2f} % of the test images.", RIGHT),
        ("The mlp reaches {other:.1f} %.", WRONG),
        ("MLP accuracy: {share:.3f}", RIGHT),
        ("MLP accuracy: 0.001", WRONG),
        ("Its error is {error:.1f} %, for the mlp.", RIGHT),
        ("The mlp is {apart:.1f} points better than net_linear.", RIGHT),
        ("The mlp is 0.3 points better than net_linear.", WRONG),
        ("`mlp` has 7,510 parameters.", RIGHT),
        ("`mlp` has 7.5 k parameters.", RIGHT),
        ("`mlp` has 75 k parameters.", WRONG),
        ("The mlp needs about 15 k FLOPs.", RIGHT),
        ("The mlp needs more than 14,000 FLOPs.", RIGHT),
        ("The mlp needs fewer than 14,000 FLOPs.", WRONG),
        ("The hand-out publishes 99.9 % for the mlp.", NONE),
        ("I expected 99 % of the mlp.", NONE),
        ("If the mlp had 99 %, I would use it.", NONE),
        ("The mlp saw 10 % of the training images.", NONE),
        ("The mlp has dropout of 25 %.", NONE),
        ("The mlp confuses 8s with 9s.", NONE),
        ("Nearly everything is 99 % certain.", NONE),
        ("The mlp improves the accuracy by 3.2 % over net_linear.", NONE),
        ("The mlp has 10 % more parameters than I thought.", NONE),
        ("Of the mlp, 85 % of its parameters are in the first layer.", NONE),
        ("In the mlp, 30 % of the ReLUs are off for an image.", NONE),
        ("The mlp was right about 80 % of the shirts.", NONE),
        ("The mlp is 3 % ahead.", NONE),
        ("The gap between train and test accuracy of the mlp is 0.6 %.", NONE),
        ("With augmentation the mlp sees images shifted by up to 10 %.", NONE),
        ("The mlp takes 12 s per epoch on my laptop.", NONE),
        ("All seeds of the mlp together took 2 min 30 s.", NONE),
        ("The loss of the mlp is 2.303 at the start.", NONE),
        ("The test accuracy of the mlp is 87,3 %.", NONE),
        ("The mlp classifies {a:.1f} % of the test images correctly.", RIGHT),
        ("The mlp classifies {other:.1f} % of the test images correctly.", WRONG),
        ("The accuracy of the mlp over all classes is {a:.1f} %.", RIGHT),
        ("The mlp reaches {a:.1f} % after 2 epochs.", RIGHT),
        ("The mlp: train accuracy {train:.1f} %, test accuracy {a:.1f} %.", (2, 0)),
        ("The mlp: train accuracy {train:.1f} %, test accuracy {other:.1f} %.", (2, 1)),
        ("Train and test accuracy of the mlp are {train:.1f} % and {a:.1f} %.", (2, 0)),
        ("The mlp has 7.510 parameters.", RIGHT),
        ("The mlp has 7 510 parameters.", RIGHT),
        ("The mlp has 7\u202f510 parameters.", RIGHT),
        ("The mlp has 6 510 parameters.", WRONG),
        ("The mlp has 1e999 parameters.", WRONG),
    ],
)
def test_sentences(truths, sentence, what):
    mlp, linear = (truths.view.section(name).row.main.accuracy for name in ("mlp", "net_linear"))
    text = sentence.format(
        a=100 * mlp, share=mlp, error=100 * (1 - mlp), apart=100 * (mlp - linear), other=100 * linear,
        train=100 * truths.values("mlp", "train accuracy")[-1],
    )  # fmt: skip
    assert found(truths, text) == what, text


def test_a_sentence_about_several_models(truths):
    mlp, linear = (100 * truths.view.section(name).row.main.accuracy for name in ("mlp", "net_linear"))
    assert found(truths, f"The mlp has {mlp:.1f} %, net_linear {linear:.1f} %.") == (2, 0)
    assert found(truths, f"{mlp:.1f} % for the mlp, {linear:.1f} % for net_linear.") == (2, 0)
    assert found(truths, f"mlp and net_linear reach {mlp:.1f} % and {linear:.1f} %, respectively.") == (2, 0)
    assert found(truths, f"The mlp has {linear:.1f} %, net_linear {mlp:.1f} %.") == (2, 2)
    assert found(truths, f"I like the mlp. It reaches {mlp:.1f} %.") == (1, 0)
    assert found(truths, f"It reaches {linear:.1f} %.", model="mlp") == (1, 1)


@pytest.mark.parametrize(
    ("header", "cell", "what"),
    [
        ("params (k)", "7.51", RIGHT),
        ("params (k)", "6.51", WRONG),
        ("MACs [millions]", "0.0074", RIGHT),
        ("parameters", "7.510", RIGHT),
        ("parameters", "7 510", RIGHT),
        ("parameters (x10^3)", "7.51", NONE),
        ("accuracy (%)", "{a:.1f}", RIGHT),
        ("accuracy", "{comma} %", RIGHT),
        ("accuracy", "99,1 %", WRONG),
        ("accuracy", "{a:.2f} ± {sd:.2f} %", (2, 0)),
        ("published accuracy", "99.1 %", NONE),
        ("accuracy gain", "3.2 %", NONE),
        ("time (ms)", "{ms:.0f}", RIGHT),
        ("time (ms)", "{ms:.0f}00", WRONG),
        ("time (min)", "{minutes:.6f}", RIGHT),
        ("time per epoch", "12 s", NONE),
        ("batch size", "64", NONE),
        ("max epochs", "20", NONE),
        ("epochs", "20", WRONG),
    ],
)
def test_headings_say_of_what_and_in_which_unit(truths, header, cell, what):
    main = truths.view.section("mlp").row.main
    accuracy, seconds = 100 * main.accuracy, main.train_seconds
    text = cell.format(
        a=accuracy, comma=f"{accuracy:.1f}".replace(".", ","), sd=100 * main.accuracy_sd / 2**0.5,
        ms=1000 * seconds, minutes=seconds / 60,
    )  # fmt: skip
    assert in_table(truths, f"| model | {header} |\n| :-- | --: |\n| mlp | {text} |") == what


def in_table(truths, source, kind="markdown"):
    names = Names(truths.results.labels)
    done = check_tables(Place(Cell(1, kind, source), (), ""), truths, names)
    return done.numbers, len(done.findings)


def test_tables_of_others_and_rows_of_changed_models_are_left_alone(truths):
    rule = "\n| :-- | --: |\n"
    assert in_table(truths, f"Published by the hand-out:\n\n| model | accuracy |{rule}| mlp | 55 % |") == NONE
    assert in_table(truths, f"| model | accuracy |{rule}| mlp with augmentation | 99 % |") == NONE


def test_html_in_a_text_and_raw_cells_are_read_too(truths):
    page = "<table><tr><th>model<th>accuracy<tr><td>mlp<td>99.1 %</table>"
    assert in_table(truths, page) == WRONG
    assert in_table(truths, "| model | accuracy |\n|-|-|\n| mlp | 99.1 % |", "raw") == WRONG


def test_thousands_of_tables_take_no_time():
    began = time.monotonic()
    assert len(list(markdown_tables("| a |\n| - |\n" * 20_000))) > 0
    assert time.monotonic() - began < 10
