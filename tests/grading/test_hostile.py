"""Notebooks and folders that mean harm: one line, never a crash, never run, never followed."""

from __future__ import annotations

import json
import os
import time
import zipfile

import pytest

import nablab
from nablab.errors import UserError
from nablab.grading.confine import LIMITS, check_tree, inside
from nablab.grading.notebook import LARGEST, folders_named, read_notebook
from nablab.grading.tables import render_html, to_csv


def notebook(*sources, **more):
    cells = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {},
            "execution_count": n,
            "outputs": [],
            "source": text,
        }
        for n, text in enumerate(sources, start=1)
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | more


def verdict(path):
    return nablab.verify(path, progress=False).verdicts[0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"NaN",
        b'{"nbformat": 4, "cells": NaN}',
        b'{"nbformat": 3, "worksheets": []}',
        b'{"nbformat": 4}',
        b'{"nbformat": 4, "cells": [3]}',
        b'{"nbformat": 4, "cells": [{"cell_type": "virus", "source": ""}]}',
        b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": [1, 2]}]}',
        b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "execution_count": "first"}]}',
        b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "outputs": [{"output_type": 7}]}]}',
        b"[" * 100_000,
    ],
    ids=lambda content: content[:60].decode("latin-1"),
)
def test_what_is_no_notebook_is_one_line(tmp_path, content):
    path = tmp_path / "delivery.ipynb"
    path.write_bytes(content)
    found = verdict(path)
    assert found.exit_code == 2
    assert "is not a notebook" in found.error
    assert "\n" not in found.error


def test_a_huge_notebook_is_not_read(tmp_path):
    path = tmp_path / "delivery.ipynb"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    assert "at most" in verdict(path).error


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "delivery.ipynb"
    os.mkfifo(path)
    with pytest.raises(UserError, match="is not a file"):
        read_notebook(path)


@pytest.mark.parametrize(
    "named", ["../elsewhere", "/etc", "results/../../elsewhere", "link", "a\0b", "x" * 5000]
)
def test_results_outside_of_the_delivery_are_not_read(tmp_path, named):
    (tmp_path / "elsewhere").mkdir()
    home = tmp_path / "student"
    home.mkdir()
    (home / "results").mkdir()
    (home / "link").symlink_to(tmp_path / "elsewhere")
    (home / "delivery.ipynb").write_text(json.dumps(notebook(f"nablab.results({named!r})")))
    found = verdict(home / "delivery.ipynb")
    assert found.exit_code == 2
    assert "\n" not in found.error
    with pytest.raises(UserError):
        inside(home, named)


def test_links_pipes_and_bombs_among_the_records_are_refused(tmp_path, monkeypatch):
    run = tmp_path / "results" / "runs" / "a"
    run.mkdir(parents=True)
    (run / "run.json").symlink_to("/etc/passwd")
    with pytest.raises(UserError, match="is a link"):
        check_tree(tmp_path / "results")
    (run / "run.json").unlink()
    os.mkfifo(run / "run.json")
    with pytest.raises(UserError, match="neither a file nor a folder"):
        check_tree(tmp_path / "results")
    (run / "run.json").unlink()
    with zipfile.ZipFile(run / "predictions.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scores.npy", bytes(3 * 10**6))
    assert (run / "predictions.npz").stat().st_size < 10**4
    check_tree(tmp_path / "results")
    monkeypatch.setitem(LIMITS, "predictions.npz", 10**6)
    with pytest.raises(UserError, match="3,000,000 bytes; at most 1,000,000"):
        check_tree(tmp_path / "results")


def test_nothing_of_a_notebook_is_run(tmp_path):
    trap = tmp_path / "sprung"
    source = f"open({str(trap)!r}, 'w')\nnablab.results(open({str(trap)!r}, 'w').name)"
    path = tmp_path / "delivery.ipynb"
    path.write_text(json.dumps(notebook(source, "%run trap.py", "import ((", "!touch sprung")))
    assert "reads no run records" in verdict(path).error
    assert folders_named(read_notebook(path)) == ()
    assert not trap.exists()


def test_a_record_that_names_a_file_to_run_runs_nothing(delivery, check):
    """A record is text: what it calls its model is never looked up as a file."""
    trap = delivery.folder / "trap.py"
    trap.write_text("open(__file__ + '.sprung', 'w')\nclass Net: pass\n")
    name = "mlp-f1-s0"

    def lie(values):
        values["model"] |= {"kind": "module", "spec": None, "reference": f"{trap}:Net"}
        values["model"]["source_file"] = {
            "path": str(trap),
            "sha256": "0" * 64,
            "commit": "",
            "modified": False,
        }

    delivery.edit_record(name, lie)
    found = check(delivery, retrain=True, time_limit=1)
    assert any("only run with --run-code" in note for note in found.notes)
    delivery.edit_record(name, lambda values: values["model"].update(kind="network"))
    check(delivery)
    delivery.edit_record(name, lambda values: values["model"].update(kind="estimator"))
    check(delivery)
    assert list(delivery.folder.glob("*.sprung")) == []


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"spec": "999x(4096C31)-K"}},
        {"model": {"spec": "(((("}},
        {"data": {"input_shape": [1, 10**9, 10**9]}},
        {"data": {"classes": []}},
        {"data": {"fraction": -1}},
        {"recipe": {}},
        {"preprocessing": {"kind": "virus"}},
        {"totals": {"test_accuracy": 1e308, "test_loss": -1e308}},
        {"environment": {"nablab": "<script>"}},
    ],
    ids=str,
)
def test_records_that_make_no_sense_are_findings(delivery, check, change):
    for name in ("mlp-f1-s0", "mlp-f1-s1"):

        def put(values):
            for part, fields in change.items():
                values[part] = fields if not fields else values[part] | fields

        delivery.edit_record(name, put)
    found = check(delivery)
    assert found.exit_code in (1, 2) or "environment" in change
    assert "\n" not in found.error


@pytest.mark.parametrize("name", ["run.json", "predictions.npz", "weights.safetensors", "metrics.jsonl"])
@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b'{"a": NaN}\n'], ids=["empty", "zeros", "NaN"])
def test_damaged_files_are_findings_about_their_run(delivery, check, name, content):
    (delivery.run("mlp-f1-s0") / name).write_bytes(content)
    found = check(delivery)
    assert any(finding.where == "run mlp-f1-s0" for finding in found.findings)


def test_numbers_that_are_none_are_not_right(delivery, check):
    delivery.replace_output("tables.costs(view)", "7,510", "NaN")
    assert any("NaN; recomputed 7,510" in finding.message for finding in check(delivery).findings)


def test_what_others_wrote_is_escaped(delivery, check):
    evil = "<script>alert(1)</script>"
    delivery.replace_output("tables.costs(view)", "| mlp |", f"| {evil} |")
    delivery.add_answer(f"{evil}\x1b[31m <img src=x onerror=alert(1)> the mlp has 9,999 parameters\u202e")
    found = check(delivery)
    page = render_html([found], evil)
    assert evil not in page
    assert "&lt;script&gt;" in page
    assert "onerror=alert(1)>" not in page
    assert "\x1b" not in page
    assert "default-src 'none'" in page
    assert all("\x1b" not in str(finding) and "\u202e" not in str(finding) for finding in found.findings)


def test_a_spreadsheet_computes_nothing_of_it(tmp_path):
    path = tmp_path / "=cmd|calc!A1.ipynb"
    path.write_text("{")
    lines = to_csv([verdict(path)]).splitlines()
    assert lines[1].startswith("'=cmd")


def test_what_a_notebook_may_hold_is_read(tmp_path):
    """Pictures' data with NaN, JSON that is a list: programs write such, and it is a notebook."""
    values = notebook("1 + 1")
    data = {"application/json": [1, {"a": 2}], "application/vnd.plotly.v1+json": {"y": [float("nan")]}}
    values["cells"][0]["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": data}]
    path = tmp_path / "delivery.ipynb"
    path.write_text(json.dumps(values))
    assert "NaN" in path.read_text()
    assert read_notebook(path).code[0].outputs[0].texts == {}


def test_a_text_that_looks_like_many_classes_takes_no_time():
    from nablab.grading.pieces import _CLASS

    began = time.monotonic()
    assert _CLASS.search("class a(Module " * 1300) is None
    assert time.monotonic() - began < 2
    assert _CLASS.search("class Net(nn.Module):")


def test_a_folder_named_on_windows_is_found(tmp_path):
    (tmp_path / "results" / "seven").mkdir(parents=True)
    assert inside(tmp_path, "results\\seven") == (tmp_path / "results" / "seven").resolve()
    with pytest.raises(UserError):
        inside(tmp_path / "results", "..\\..")


def test_folders_of_a_class_without_a_notebook_have_a_row(tmp_path):
    for name in ("ada", "bo", "cy", "__MACOSX", ".git"):
        (tmp_path / name).mkdir()
    for name in ("ada", "bo"):
        (tmp_path / name / "delivery.ipynb").write_text("{")
    (tmp_path / "cy" / "delivery.pdf").write_text("")
    verdicts = nablab.verify(tmp_path, progress=False).verdicts
    assert [one.delivery for one in verdicts] == ["ada/delivery.ipynb", "bo/delivery.ipynb", "cy"]
    assert "no notebook" in verdicts[-1].error
