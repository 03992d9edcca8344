"""Running a lab: from a fresh kernel, whatever comes of it is written, and told."""

from __future__ import annotations

import io
import json
import os
import re
import signal
from pathlib import Path
from textwrap import dedent
from threading import Timer

import nbformat
import pytest

import nablab
from nablab.api.lesson_progress import Lines
from nablab.cli import main
from nablab.errors import UserError
from nablab.lessons.execute import RESULTS, Reached, run_lesson
from nablab.lessons.figures import MIME


def read(path: Path):
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def test_a_lab_that_is_right(small_lab, tmp_path: Path) -> None:
    small_lab()
    told: list[Reached] = []
    run = run_lesson("c", tmp_path, on_progress=told.append)
    assert run.ok
    assert (run.failures, run.missing) == ((), ())
    assert [figure.row for figure in run.figures] == ["C1", "C2", "C3", "C4", "C5", "C6"]
    assert run.figures[0].found == "1"
    notebook = read(run.notebook)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3]
    assert MIME in code[1].outputs[0].data
    assert code[1].metadata.tags == ["exercise"]
    total = len(notebook.cells)
    assert [(reached.done, reached.total) for reached in told] == [(n, total) for n in range(total + 1)]
    assert told[-1].detail == "The step"
    assert run.page is not None
    page = run.page.read_text(encoding="utf-8")
    assert "steps" in page
    assert "6 of 6 rows shown, in a quick run." in page
    assert {file.name for file in tmp_path.iterdir()} == {"lab-c.ipynb", "lab-c.html"}


def test_two_runs_are_the_same_file(small_lab, tmp_path: Path) -> None:
    small_lab("# %%\nprint({'a', 'b', 'c', 'd', 'e'})\nimport os\nos.getcwd()")
    first, second = (run_lesson("c", tmp_path / name, page=False) for name in ("one", "two"))
    assert first.notebook.read_bytes() == second.notebook.read_bytes()
    assert not list((tmp_path / "one").glob("*.html"))
    assert "'.'" in first.notebook.read_text(encoding="utf-8")


WRONG = """
# %% [markdown]
# ## Which rate · C2

# %%
lab.figure("C2", "loss", 0.5, expected=0.25)
never = 1

# %%
lab.figure("C3", "after it", 1, expected=1)
"""


@pytest.fixture
def wrong(small_lab, tmp_path: Path):
    small_lab(WRONG, rest="")
    return run_lesson("c", tmp_path)


def test_a_figure_that_is_not_met_is_told_and_the_rest_still_runs(wrong) -> None:
    assert not wrong.ok
    assert wrong.failures == ("cell 3 (Which rate): C2 loss: found 0.5, expected 0.25",)
    assert [figure.met for figure in wrong.figures] == [True, False, True]
    assert wrong.missing == ("C4", "C5", "C6")
    assert wrong.page is not None
    assert "found 0.5, expected 0.25" in wrong.page.read_text(encoding="utf-8")


def test_nothing_of_this_machine_is_in_its_traceback(wrong) -> None:
    text = wrong.notebook.read_text(encoding="utf-8")
    assert "AssertionError" in text
    assert not re.search(r"/tmp/|/home/|ipykernel_\d|site-packages/nablab|src/nablab", text)


def test_another_error_ends_it_and_what_was_done_is_written(small_lab, tmp_path: Path) -> None:
    small_lab('# %%\nraise ValueError("no such thing")')
    run = run_lesson("c", tmp_path)
    assert run.failures == ("cell 3 (The step): ValueError: no such thing",)
    assert run.missing == ("C2", "C3", "C4", "C5", "C6")
    assert read(run.notebook).cells[-1].execution_count is None


def test_an_error_that_the_lab_wants_is_none(small_lab, tmp_path: Path) -> None:
    small_lab('# %% tags=["raises-exception"]\nraise ValueError("as it should")')
    assert run_lesson("c", tmp_path).ok


def test_a_figure_whose_error_is_caught_still_counts(small_lab, tmp_path: Path) -> None:
    small_lab("""
        # %%
        try:
            lab.figure("C2", "hidden", 1, expected=2)
        except AssertionError:
            pass
    """)
    run = run_lesson("c", tmp_path)
    assert run.failures == ()
    assert not run.ok


def test_time_that_is_up_stops_it(small_lab, tmp_path: Path) -> None:
    small_lab("# %%\nimport time\nprint('begun', flush=True)\ntime.sleep(600)")
    told: list[Reached] = []
    run = run_lesson("c", tmp_path, limit=8, on_progress=told.append)
    assert run.seconds < 60
    assert run.failures == ("cell 3 (The step) was stopped: the time limit of 8.00 s was up",)
    assert run.figures[0].row == "C1"
    assert (told[-1].done, told[-1].total) == (4, 6)  # two texts and two cells of code ran, of six in all


KEEPS = """
# %%
import os
import time
from pathlib import Path

results = Path(os.environ["NABLAB_LAB_RESULTS"])
if not results.exists():
    results.mkdir()
    time.sleep(600)
lab.figure("C2", "went on from what was kept", True, expected=True)
"""


def test_a_full_run_keeps_what_it_trained_beside_its_notebook_and_goes_on(small_lab, tmp_path: Path) -> None:
    small_lab(KEEPS)
    kept = tmp_path / "out" / "lab-c"
    stopped = run_lesson("c", tmp_path / "out", "full", limit=8)
    assert stopped.failures == (
        "cell 3 (The step) was stopped: the time limit of 8.00 s was up; "
        f"what it has trained is kept in {kept}, and the next run goes on from there",
    )
    done = run_lesson("c", tmp_path / "out", "full")
    assert done.ok
    assert done.page is not None
    assert "in a full run." in done.page.read_text(encoding="utf-8")


COMPARES = """
# %%
import nablab

compared = nablab.compare(["net_linear"], "digits", seeds=2, epochs=1, jobs=1, out="compared")
"""


def test_what_a_comparison_in_a_cell_says_of_its_progress_is_passed_on(small_lab, tmp_path: Path) -> None:
    small_lab(COMPARES)
    told: list[Reached] = []
    run = run_lesson("c", tmp_path, on_progress=told.append)
    assert run.ok
    assert any(re.match(r"The step: [012] of 2 runs", reached.detail) for reached in told)
    shown = [output.data["text/plain"] for output in read(run.notebook).cells[4].outputs if "data" in output]
    assert re.match(r"2 of 2 runs in ", shown[0])


def test_an_interrupt_is_told_as_one(small_lab, tmp_path: Path) -> None:
    small_lab("# %%\nimport time\nprint('begun', flush=True)\ntime.sleep(600)")
    third = Reached(4, 6, "The step")

    def interrupt_at(reached: Reached) -> None:
        if reached == third:
            Timer(2, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt, match=r"^cell 3 \(The step\) was stopped: interrupted$"):
        run_lesson("c", tmp_path, on_progress=interrupt_at)


def test_a_log_gets_a_line_now_and_then() -> None:
    clock = iter([0.0, 5.0, 30.0, 31.0, 90.0, 120.0])
    lines = io.StringIO()
    show = Lines("lab a", lines, lambda: next(clock)).show
    for reached in (
        Reached(0, 9, "One"),
        Reached(1, 9, "Two", "3 of 42 runs, 20 min 10 s left"),
        Reached(2, 9, "Two"),
        Reached(3, 9, "Three"),
        Reached(9, 9, "Three"),
    ):
        show(reached)
    assert lines.getvalue().splitlines() == [
        "lab a, 30.0 s: cell 2 of 9, Two: 3 of 42 runs, 20 min 10 s left",
        "lab a, 90.0 s: cell 4 of 9, Three",
    ]


def test_a_quick_run_keeps_nothing(small_lab, tmp_path: Path) -> None:
    small_lab("""
        # %%
        import os

        lab.figure("C2", "told a folder", "NABLAB_LAB_RESULTS" in os.environ, expected=False)
    """)
    assert run_lesson("c", tmp_path, page=False).ok
    assert {file.name for file in tmp_path.iterdir()} == {"lab-c.ipynb"}


def test_a_kernel_that_dies_is_told(small_lab, tmp_path: Path) -> None:
    small_lab("# %%\nimport os\nos._exit(1)")
    run = run_lesson("c", tmp_path)
    assert run.failures == ("the notebook's kernel died; is there enough memory?",)
    assert run.notebook.exists()


def test_it_is_told_the_mode_and_where_results_are(small_lab, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(RESULTS, "kept")
    small_lab("""
        # %%
        import os
        from pathlib import Path

        lab.figure("C2", "full", lab.full, expected=True)
        Path(os.environ["NABLAB_LAB_RESULTS"]).mkdir()
        Path("left-behind").touch()
    """)
    assert run_lesson("c", "out", "full").ok
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "out"}


def test_figures_of_matplotlib_are_shown_after_begin(small_lab, tmp_path: Path) -> None:
    small_lab("""
        # %%
        from matplotlib.figure import Figure

        figure = Figure(figsize=(1, 1))
        figure
    """)
    notebook = read(run_lesson("c", tmp_path, page=False).notebook)
    shown = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]
    assert len(shown) == 1


def test_the_command_prints_the_table_and_fails_where_the_lab_does(small_lab, tmp_path, capsys) -> None:
    small_lab(WRONG, rest="")
    out = tmp_path / "labs"
    assert main(["lesson", "run", "c", "--out", str(out), "--no-pages", "--quiet"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"row +what +published +expected +found +on", said)
    assert re.search(r"C2 +loss +0\.25 +✗ 0\.5", said)
    assert "failed    cell 3 (Which rate): C2 loss: found 0.5, expected 0.25" in said
    assert "missing   C4, C5, C6" in said
    assert f"notebook  {out / 'lab-c.ipynb'}" in said
    assert (out / "lab-c.ipynb").exists()


def test_the_command_in_json_and_the_function_say_the_same(small_lab, tmp_path, capsys) -> None:
    small_lab()
    assert main(["lesson", "run", "C", "--out", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    runs = nablab.run_lessons("c", out=tmp_path, progress=False)
    assert document["ok"] is runs.ok is True
    for one in (document, other := runs.document()):
        one.pop("seconds"), one["labs"][0].pop("seconds")
    assert document == other
    assert "<table>" in runs._repr_html_()
    assert "Lab C" in repr(runs)


@pytest.mark.parametrize(
    "words",
    [
        ["run", "z"],
        ["run", "a", "all"],
        ["run", "a", "--quick", "--full"],
        ["open", "f"],
        ["run", "a", "--time-limit", "soon"],
    ],
)
def test_the_users_mistakes(words: list[str], tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lesson", *words]) == 2
    assert capsys.readouterr().err.startswith("nablab: ")
    assert list(tmp_path.iterdir()) == []


def test_listing_and_opening(tmp_path: Path, monkeypatch, capsys) -> None:
    assert main(["lesson", "list", "--json"]) == 0
    assert [row["lab"] for row in json.loads(capsys.readouterr().out)] == ["a", "b", "c", "d", "e"]
    monkeypatch.chdir(tmp_path)
    assert main(["lesson", "open", "a"]) == 0
    assert "jupyter lab lab-a.ipynb" in capsys.readouterr().out
    assert main(["lesson", "open", "a"]) == 2
    assert "already there" in capsys.readouterr().err


def test_no_name_runs_all_of_them_and_a_name_counts_once() -> None:
    from nablab.api.lessons import _named

    assert _named([]) == _named(["all"]) == ["a", "b", "c", "d", "e"]
    assert _named(["B", "a", "b"]) == ["b", "a"]


def test_a_formula_that_is_none_is_told_with_its_lab(small_lab, tmp_path: Path) -> None:
    small_lab(
        dedent(r"""
        # %% [markdown]
        # $\nothing{x}$
    """)
    )
    with pytest.raises(nablab.NablabError, match=r"lab c: the formula .* is not understood"):
        nablab.run_lessons("c", out=tmp_path, progress=False)
    assert (tmp_path / "lab-c.ipynb").exists()


def test_work_in_an_opened_lab_is_never_replaced(small_lab, tmp_path: Path, monkeypatch, capsys) -> None:
    small_lab()
    monkeypatch.chdir(tmp_path)
    path = nablab.open_lesson("c")
    assert nablab.run_lessons("c", pages=False, progress=False).ok  # nobody has worked in it yet
    work = read(path)
    work.cells[-1].source += "\nanswer = 42"
    nbformat.write(work, path)
    before = path.read_bytes()
    assert main(["lesson", "run", "b", "c", "--no-pages"]) == 2
    assert "lab-c.ipynb is not as nablab wrote it: it may hold your work" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert not (tmp_path / "lab-b.ipynb").exists()  # said before anything ran
    path.write_text("someone's notes", encoding="utf-8")
    with pytest.raises(UserError, match="not as nablab wrote it"):
        run_lesson("c", tmp_path)


def test_what_a_run_of_another_version_left_is_replaced(small_lab, tmp_path: Path) -> None:
    small_lab("# %%\n1 + 1")
    run_lesson("c", tmp_path, page=False)
    small_lab("# %%\n2 + 2")
    assert "2 + 2" in run_lesson("c", tmp_path, page=False).notebook.read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_to_is_told_before_anything_runs(small_lab, tmp_path: Path) -> None:
    small_lab("# %%\nimport time\ntime.sleep(60)")
    (tmp_path / "file").touch()
    with pytest.raises(nablab.NablabError, match="cannot make the folder"):
        run_lesson("c", tmp_path / "file", limit=3)


def test_an_unknown_lab_runs_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no lab 'x'"):
        nablab.run_lessons("c", "x", out=tmp_path)
    assert list(tmp_path.iterdir()) == []
