"""A delivery that is right is found right; whatever is changed in it is found, and named."""

from __future__ import annotations

import base64
import io
import json
import shutil
from importlib import metadata

import nbformat
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

COSTS, ACCURACIES, ANSWER = "tables.costs(view)", "tables.accuracies(view, 1.0)", "✍ **Your answer**"


def code_cells(cells):
    return [cell for cell in cells if cell["cell_type"] == "code"]


def only(verdict, subject):
    """The findings, which all must be about `subject`."""
    assert {finding.subject for finding in verdict.findings} == {subject}
    return list(verdict.findings)


def test_what_is_right_is_found_right(delivery, check):
    verdict = check(delivery, pictures=True)
    assert verdict.findings == ()
    assert verdict.exit_code == 0
    assert (verdict.points, verdict.of) == (10, 10)
    assert [mark.points for mark in verdict.marks] == [5, 2, 3]
    assert verdict.facts["runs asked again"] == 4
    assert verdict.facts["answers asked again"] == 4 * 358
    assert verdict.facts["pictures held against the records"] == 8
    assert verdict.facts["numbers held against the records"] > 150
    assert any("quality not judged" in line for m in verdict.marks for r in m.reasons for line in r.evidence)
    assert any("left to you" in note for note in verdict.notes)


@pytest.mark.parametrize(
    ("source", "old", "new", "named"),
    [
        (COSTS, "| mlp | 7,510 |", "| mlp | 6,510 |", "mlp, parameters: 6,510; recomputed 7,510"),
        (COSTS, "14,800", "7,400", "mlp, FLOPs: 7,400; recomputed 14,800"),
        (COSTS, "net\\\\_linear | 650", "lenet | 650", "'lenet' that the records do not give"),
        ("tables.by_class(view, section)", "| 36 |", "| 37 |", "test images: 37; recomputed 36"),
        ("tables.verdicts(view, 1.0)", "better", "tie", "verdict: tie; recomputed better"),
        ("tables.answer(view)", "mlp", "net_linear", "says net_linear: accuracy"),
        ("tables.facts(view)", "358", "385", "385"),
        ("tables.data(view)", "358", "3,580", "test images measured on, value: 3,580; recomputed 358"),
        ("tables.recipe(view)", "| epochs | 2 |", "| epochs | 20 |", "epochs, value: 20; recomputed 2"),
        ("network.sheet()", "6,500", "6,400", "parameters 6,400; recomputed 6,500"),
    ],
)
def test_a_changed_number_in_a_table(delivery, check, source, old, new, named):
    where = delivery.replace_output(source, old, new)
    found = [finding for finding in check(delivery).findings if finding.subject == "number"]
    assert named in found[0].message
    assert found[0].where.startswith(where)


def test_a_preset_that_is_another_by_now_accuses_nobody(delivery, check, monkeypatch):
    from nablab.report.view_context import PRESETS

    written = json.loads(delivery.path.read_text())
    (shown,) = (
        "".join(cell["outputs"][0]["data"]["text/markdown"])
        for cell in code_cells(written["cells"])
        if "tables.recipe(view)" in "".join(cell["source"])
    )
    name = next(preset for preset in PRESETS if f"preset {preset}" in shown)
    monkeypatch.setitem(PRESETS, name, PRESETS[name].but(epochs=PRESETS[name].epochs + 1))
    assert check(delivery).findings == ()


def test_a_changed_accuracy_names_row_and_column(delivery, check):
    verdict = check(delivery)
    import nablab

    view = nablab.results(delivery.folder / "results").view
    cell = view.section("mlp").row.main
    said = f"{100 * cell.accuracy:.1f} ± {100 * cell.accuracy_sd:.1f} %"
    delivery.replace_output(ACCURACIES, said, said.replace(said[0], "9", 1))
    (finding,) = only(check(delivery), "number")
    assert f"mlp, test accuracy: {said.replace(said[0], '9', 1)}; recomputed {said}" in finding.message
    share = {r.criterion: r.share for m in check(delivery).marks for r in m.reasons}
    assert share["numbers_right"] == 0
    assert verdict.points > check(delivery).points


@pytest.mark.parametrize(
    ("sentence", "named"),
    [
        ("The mlp reaches 99.1 % on the test images.", "mlp: accuracy 99.1 %"),
        ("My mlp has 8,000 parameters.", "mlp: parameters 8,000; recomputed 7,510"),
        ("Its rival Net-Linear needs 2.56 k FLOPs an image.", "net_linear: FLOPs 2.56 k; recomputed 1,280"),
        ("The mlp is over 99 % accurate.", "mlp: accuracy above 99 %"),
        ("The mlp took 12 min 30 s to train.", "mlp: time 12 min 30 s"),
        ("| model | accuracy |\n| :-- | --: |\n| mlp | 99.1 % |", "mlp: accuracy 99.1 %"),
    ],
)
def test_a_false_number_in_prose(delivery, check, sentence, named):
    delivery.add_answer(sentence)
    (finding,) = only(check(delivery), "number")
    assert named in finding.message
    assert finding.where.startswith("cell ")


def shown(kind, **data):
    mimes = {"plain": "text/plain", "html": "text/html", "markdown": "text/markdown"}
    return {
        "output_type": kind, "metadata": {}, "data": {mimes[name]: text for name, text in data.items()},
    } | ({"execution_count": None} if kind == "execute_result" else {})  # fmt: skip


HTML = "<IPython.core.display.HTML object>"


@pytest.mark.parametrize(
    "output",
    [
        shown(
            "display_data", plain=HTML, html="<style>p{}</style><p>The <b>mlp</b> reaches\n99.1&nbsp;%</p>"
        ),
        shown("display_data", plain="<__main__.A object at 0x7f00>", html="<li>The mlp reaches 99.1 %"),
        shown("display_data", plain="'I see: the mlp reaches 99.1 %'"),
        {"output_type": "stream", "name": "stdout", "text": "The mlp reaches 99.1 %"},
    ],
)
@pytest.mark.parametrize("source", ["import nablab", COSTS])
def test_a_false_number_in_what_a_cell_says(delivery, check, source, output):
    add_output(delivery, source, output)
    (finding,) = only(check(delivery), "number")
    assert "mlp: accuracy 99.1 %" in finding.message


@pytest.mark.parametrize(
    "output",
    [
        shown("display_data", plain=HTML, html="<p><progress value='1' max='4'></progress> mlp, 25 %</p>"),
        shown("display_data", plain=HTML, html="<p><small>4 of 4 runs in 12 h</small></p>"),
        shown("display_data", plain=HTML, html="<svg><text>mlp 25 %</text></svg><h2>mlp, 25 %</h2>"),
        shown("display_data", plain=HTML, html="<p>The mlp has 7.5 · 10<sup>3</sup> parameters</p>"),
        shown("display_data", plain=HTML, html="<p>The mlp has <s>12</s> 7,510 parameters"),
        shown("display_data", plain="   a\n0  1", html="<p>mlp, 25 %</p>"),
        shown("display_data", plain="('mlp 25 %', 3)"),
        shown("display_data", plain="'mlp 25 %"),
    ],
)
def test_what_is_no_sentence_of_a_person_accuses_nobody(delivery, check, output):
    add_output(delivery, 'view.section("mlp")', output)
    assert check(delivery).findings == ()


def add_output(delivery, source, output):
    def add(cells):
        cell = next(c for c in code_cells(cells) if source in "".join(c["source"]))
        cell["outputs"].append(output)

    delivery.edit(add)


def test_a_text_beside_a_table_does_not_hide_it(delivery, check):
    assert not any("anybody" in note for note in check(delivery).notes)
    add_output(delivery, "tables.recipe(view)", shown("display_data", markdown="What we trained by."))
    delivery.replace_output("tables.recipe(view)", "| epochs | 2 |", "| epochs | 20 |")
    verdict = check(delivery)
    (finding,) = only(verdict, "number")
    assert "tables.recipe: epochs, value: 20; recomputed 2" in finding.message
    assert not any("anybody" in note for note in verdict.notes)


def test_a_table_that_cannot_be_told_apart_is_named(delivery, check):
    where = delivery.replace_output("tables.recipe(view)", "value", "worth")
    verdict = check(delivery)
    assert verdict.findings == ()
    (note,) = [note for note in verdict.notes if "anybody" in note]
    assert note.startswith(where)
    assert note.endswith("what tables.recipe shows")


def test_exchanged_matrices(delivery, check):
    def exchange(cells):
        a, b = [cell for cell in cells if "plots.confusion_figure" in "".join(cell["source"])]
        a["outputs"], b["outputs"] = b["outputs"], a["outputs"]

    delivery.edit(exchange)
    found = only(check(delivery, pictures=True), "picture")
    assert len(found) == 2
    assert any("belongs into" in finding.message and "net_linear" in finding.message for finding in found)
    assert any("belongs into" in finding.message and "mlp" in finding.message for finding in found)


def test_a_matrix_drawn_from_another_model_under_this_one_s_title(delivery, check):
    import nablab
    from nablab.report import plots

    view = nablab.results(delivery.folder / "results").view
    figure = plots.confusion_figure(view.section("net_linear").confusion, title="mlp")
    page = io.BytesIO()
    figure.savefig(page, format="png", dpi=2 * figure.dpi, facecolor="white")

    def put(cells):
        cell = next(
            cell
            for place, cell in enumerate(cells)
            if 'section = view.section("mlp")' in "".join(cell["source"])
        )
        cell["outputs"][0]["data"]["image/png"] = base64.b64encode(page.getvalue()).decode()

    delivery.edit(put)
    (finding,) = only(check(delivery, pictures=True), "picture")
    assert finding.message == "the confusion matrix under mlp is that of net_linear"


def retouch(delivery, source):
    """Paint over the first picture that a call of `source` drew."""
    from PIL import Image

    def change(cells):
        cell = next(cell for cell in code_cells(cells) if source in "".join(cell["source"]))
        data = cell["outputs"][0]["data"]
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
        picture.paste((0, 0, 0), (100, 100, 130, 130))
        page = io.BytesIO()
        picture.save(page, "PNG")
        data["image/png"] = base64.b64encode(page.getvalue()).decode()

    delivery.edit(change)


@pytest.mark.parametrize(
    ("source", "kind"), [("plots.curves_figure", "curves"), ('view.parameter_points, "parameters"', "plot")]
)
def test_a_retouched_picture(delivery, check, source, kind):
    retouch(delivery, source)
    (finding,) = only(check(delivery, pictures=True), "picture")
    assert f"({kind}) is not what the records give" in finding.message


@pytest.mark.parametrize(
    ("version", "why"),
    [("Pictures drawn by nablab 0.0.9, Matplotlib 3.9.0", "drawn by nablab 0.0.9, Matplotlib 3.9.0; here it"),
     ("", "the notebook does not say what drew it")],
)  # fmt: skip
def test_another_version_may_draw_some_pictures_otherwise(delivery, check, version, why):
    """As those before the margins were widened: curves and matrices alike, points not."""
    (said,) = {
        line
        for cell in nbformat.read(delivery.path, as_version=4).cells
        for output in cell.get("outputs", ())
        for line in output.get("data", {}).get("text/markdown", "").splitlines()
        if line.startswith("Pictures drawn by nablab")
    }
    assert f"Matplotlib {metadata.version('matplotlib')}," in said
    delivery.replace_output("tables.environment(view)", said, version)
    retouch(delivery, "plots.scatter_figure")
    verdict = check(delivery, pictures=True)
    assert verdict.findings == ()
    assert verdict.facts["pictures held against the records"] == 7
    (note,) = [note for note in verdict.notes if "not compared" in note]
    assert note.startswith(f"1 picture not compared: {why}")


def test_names_in_fonts_of_the_machine_accuse_nobody(delivery, check):
    """Of a matrix drawn where there were other fonts; curves, without these names, are as safe as ever."""
    for run in delivery.run("").iterdir():
        delivery.edit_record(
            run.name, lambda values: values["data"].update(classes=[*"零一二三四五六七八九"])
        )
    verdict = check(delivery, pictures=True)
    assert [finding for finding in verdict.findings if finding.subject == "picture"] == []
    assert "2 pictures not compared: the fonts of their names differ by machine" in verdict.notes
    retouch(delivery, "plots.curves_figure")
    (finding,) = [one for one in check(delivery, pictures=True).findings if one.subject == "picture"]
    assert "(curves) is not what the records give" in finding.message


def test_a_cell_that_was_not_run(delivery, check):
    def forget(cells):
        cell = code_cells(cells)[4]
        cell["execution_count"], cell["outputs"] = None, []

    delivery.edit(forget)
    found = only(check(delivery), "order")
    assert any("it was not run" in finding.message for finding in found)


def test_cells_run_out_of_order(delivery, check):
    def swap(cells):
        a, b = code_cells(cells)[0], code_cells(cells)[20]
        a["execution_count"], b["execution_count"] = b["execution_count"], a["execution_count"]
        for cell in (a, b):
            for output in cell["outputs"]:
                if output["output_type"] == "execute_result":
                    output["execution_count"] = cell["execution_count"]

    delivery.edit(swap)
    found = only(check(delivery), "order")
    assert "[1] should stand here" in found[-1].message


def test_a_cell_edited_after_it_ran_and_one_that_failed(delivery, check):
    def edit(cells):
        results = [
            c for c in code_cells(cells) if any(o["output_type"] == "execute_result" for o in c["outputs"])
        ]
        results[0]["outputs"][-1]["execution_count"] = 99
        error = {"output_type": "error", "ename": "NameError", "evalue": "x", "traceback": ["<b>x</b>"]}
        results[1]["outputs"].append(error)

    delivery.edit(edit)
    messages = [finding.message for finding in only(check(delivery), "order")]
    assert any("numbered [99]" in message for message in messages)
    assert any("it failed: NameError: x" in message for message in messages)


def test_a_prompt_left_as_it_was(delivery, check):
    def clear(cells):
        cell = next(cell for cell in cells if "overfit" in "".join(cell["source"]))
        cell["source"] = "".join(cell["source"]).split("\n\n")[0]

    delivery.edit(clear)
    (finding,) = only(check(delivery), "piece")
    assert finding.message == "question under '4. Learning curves': the prompt is as it was"
    assert finding.where.startswith("cell ")


def test_models_that_nobody_explains(delivery, check):
    def silence(cells):
        for cell in cells:
            if ANSWER in "".join(cell["source"]):
                words = "It bends what one layer cannot, and that is all that I want to say of it here."
                cell["source"] = "".join(cell["source"]).split("\n\n")[0] + f"\n\n{words}"

    delivery.edit(silence)
    (finding,) = only(check(delivery), "piece")
    assert finding.message.startswith("new models explained: mlp: explained: no words")


@pytest.mark.parametrize(
    ("source", "lost"),
    [
        ("plots.curves_figure", "curves: mlp: no curves"),
        ("plots.all_curves_figure", "curves together: all in one plot: no"),
        ("plots.confusion_figure", "matrices: mlp: no matrix"),
        (COSTS, "cost table: mlp: not in a table"),
        ("SVG(network.svg)", "graphs: mlp: no graph"),
    ],
)
def test_a_missing_piece(delivery, check, source, lost):
    def remove(cells):
        gone = [cell for cell in cells if source in "".join(cell["source"])]
        for cell in gone:
            cells.remove(cell)
        for count, cell in enumerate(code_cells(cells), start=1):
            cell["execution_count"] = count
            for output in cell["outputs"]:
                if "execution_count" in output:
                    output["execution_count"] = count

    delivery.edit(remove)
    found = only(check(delivery), "piece")
    assert len(found) == 1
    assert found[0].message.startswith(lost)


def test_an_edited_run_json(delivery, check):
    delivery.edit_record("mlp-f1-s0", lambda values: values["totals"].update(test_accuracy=0.99))
    found = check(delivery).findings
    messages = [str(finding) for finding in found if finding.subject == "record"]
    assert any(m.startswith("run mlp-f1-s0: run.json says test_accuracy 0.99") for m in messages)
    assert any("metrics.jsonl has test_accuracy" in m for m in messages)
    trained = [r for m in check(delivery).marks for r in m.reasons if r.criterion == "new_models_trained"]
    assert trained[0].share == 0
    assert "not counted: run mlp-f1-s0" in trained[0].evidence[0]


def test_an_edited_cost(delivery, check):
    delivery.edit_record("mlp-f1-s0", lambda values: values["model"].update(parameters=99))
    messages = [str(finding) for finding in check(delivery).findings]
    assert "run mlp-f1-s0: run.json says 99 parameters, its layers have 7510" in messages


def test_shortened_curves(delivery, check):
    path = delivery.run("mlp-f1-s1") / "metrics.jsonl"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    messages = [finding.message for finding in check(delivery).findings if finding.subject == "record"]
    assert any("metrics.jsonl ends at epoch 1" in message for message in messages)


def test_edited_answers_agree_with_an_edited_record_but_not_with_the_weights(delivery, check):
    """Everything that can be typed says 100 %; the weights say otherwise."""
    path = delivery.run("net_linear-f1-s0") / "predictions.npz"
    with np.load(path) as archive:
        said = dict(archive)
    said["scores"] = np.eye(10, dtype=np.float32)[said["y"]] * 20
    np.savez_compressed(path, **said)
    loss = float(log_loss(said["y"], np.exp(said["scores"]) / np.exp(said["scores"]).sum(1, keepdims=True)))
    delivery.edit_record(
        "net_linear-f1-s0", lambda values: values["totals"].update(test_accuracy=1.0, test_loss=loss)
    )
    found = [f for f in check(delivery).findings if f.where == "run net_linear-f1-s0"]
    assert any("its weights do not give its recorded scores" in f.message for f in found)
    assert any("100.00 % by predictions.npz" in f.message for f in found)
    assert not any("run.json says test_accuracy" in f.message for f in found)


def test_other_weights(delivery, check):
    a, b = delivery.run("mlp-f1-s0"), delivery.run("mlp-f1-s1")
    shutil.copyfile(a / "weights.safetensors", b / "weights.safetensors")
    found = [f for f in check(delivery).findings if f.subject == "record"]
    assert {f.where for f in found} == {"run mlp-f1-s1"}
    assert "its weights do not give its recorded scores" in found[0].message


def test_weights_of_another_network(delivery, check):
    a, b = delivery.run("net_linear-f1-s0"), delivery.run("mlp-f1-s1")
    shutil.copyfile(a / "weights.safetensors", b / "weights.safetensors")
    (finding,) = only(check(delivery), "record")
    assert "its weights are 650 numbers" in finding.message


def test_other_data(delivery, check):
    for name in ("net_linear-f1-s0", "net_linear-f1-s1", "mlp-f1-s0", "mlp-f1-s1"):
        delivery.edit_record(name, lambda values: values["data"].update(fingerprint="ab" * 32))
    found = check(delivery).findings
    (finding,) = [finding for finding in found if finding.subject == "data"]
    assert "fingerprint abababababababab of digits is not that of the images here" in finding.message
    assert any("fingerprint (SHA-256)" in f.message for f in found if f.subject == "number")


def test_one_run_on_other_data(delivery, check):
    delivery.edit_record("mlp-f1-s1", lambda values: values["data"].update(fingerprint="ab" * 32))
    found = [finding for finding in check(delivery).findings if finding.subject == "data"]
    assert "its runs are on different data" in found[0].message


def test_answers_about_other_images_and_other_labels(delivery, check):
    path = delivery.run("mlp-f1-s0") / "predictions.npz"
    with np.load(path) as archive:
        said = dict(archive)
    said["y"] = said["scores"].argmax(axis=1)  # the labels that it would have been right about
    np.savez_compressed(path, **said)
    delivery.edit_record("mlp-f1-s0", lambda values: values["totals"].update(test_accuracy=1.0))
    found = [f for f in check(delivery).findings if f.subject == "data"]
    assert found[0].where == "run mlp-f1-s0"
    assert "has other labels than the data" in found[0].message


def test_what_is_recomputed_is_what_scikit_learn_computes(delivery):
    from nablab.analysis.results import load_results
    from nablab.grading.images import find_images
    from nablab.grading.records import replay, replayed_results
    from nablab.grading.truths import Truths

    results = load_results(delivery.folder / "results")
    dataset, findings, _ = find_images(results.runs[0].record.data)
    assert findings == []
    replays = [replay(run, dataset) for run in results.runs]
    truths = Truths(replayed_results(results, replays))
    for label in results.labels:
        runs = results.done(label)
        y = np.concatenate([run.predictions.y for run in runs])
        scores = np.concatenate([run.predictions.scores for run in runs]).astype(np.float64)
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        cell = truths.view.section(label).row.main
        assert cell.accuracy == pytest.approx(accuracy_score(y, scores.argmax(axis=1)), abs=1e-12)
        assert cell.loss == pytest.approx(log_loss(y, p), rel=1e-6)
        counts = truths.view.section(label).confusion.counts
        assert np.array_equal(counts, confusion_matrix(y, scores.argmax(axis=1)))


def test_a_sample_finds_other_weights_and_asks_about_fewer_images(delivery, check):
    sampled = check(delivery, sample=50)
    assert sampled.facts["answers asked again"] == 200
    (note,) = [note for note in sampled.notes if "asked again" in note]
    assert note.startswith("all 4 runs: asked again about 50 of ")
    a, b = delivery.run("mlp-f1-s0"), delivery.run("mlp-f1-s1")
    shutil.copyfile(a / "weights.safetensors", b / "weights.safetensors")
    assert any("its weights" in f.message for f in check(delivery, sample=50).findings)


def test_the_document_is_json(delivery, check):
    assert json.loads(json.dumps(check(delivery).document()))["points"] == 10


def nearly(delivery, change):
    """Change the scores of a run a little, and its record with them; its device."""
    path = delivery.run("mlp-f1-s0") / "predictions.npz"
    with np.load(path) as archive:
        said = dict(archive)
    change(said["scores"])
    np.savez_compressed(path, **said)
    right = float((said["scores"].argmax(1) == said["y"]).mean())
    odds = np.exp(said["scores"] - said["scores"].max(1, keepdims=True)).astype(np.float64)
    loss = float(log_loss(said["y"], odds / odds.sum(1, keepdims=True)))

    def tell(values):
        values["totals"].update(test_accuracy=right, test_loss=loss)

    delivery.edit_record("mlp-f1-s0", tell)
    return len(said["y"])


def flip_nearest(scores):
    """Let the image that is nearest to a draw go the other way, as rounding elsewhere may."""
    ordered = np.sort(scores, axis=1)
    row = int((ordered[:, -1] - ordered[:, -2]).argmin())
    first, second = scores[row].argsort()[::-1][:2]
    scores[row, first], scores[row, second] = scores[row, second], scores[row, first]
    return row


def test_a_draw_that_another_machine_decides_otherwise_accuses_nobody(delivery, check):
    def draw(scores):
        row = flip_nearest(scores)
        near = scores[row].argsort()[::-1][:2]
        assert abs(float(np.subtract(*scores[row, near]))) < 0.05, "no image is near enough to a draw"

    delivery.edit_record(
        "mlp-f1-s0", lambda values: values["environment"].update(device="cuda: NVIDIA of a cluster")
    )
    nearly(delivery, draw)
    found = [f for f in check(delivery).findings if f.where == "run mlp-f1-s0"]
    assert not [f for f in found if "its weights" in f.message]


def test_a_run_copied_under_another_seed(delivery, check):
    for name in ("predictions.npz", "weights.safetensors", "metrics.jsonl"):
        shutil.copyfile(delivery.run("mlp-f1-s0") / name, delivery.run("mlp-f1-s1") / name)
    first = json.loads((delivery.run("mlp-f1-s0") / "run.json").read_text())
    delivery.edit_record("mlp-f1-s1", lambda values: values.update(totals=first["totals"]))
    found = [f for f in check(delivery).findings if f.subject == "record"]
    assert [(f.where, f.message) for f in found] == [
        ("run mlp-f1-s1", "its scores are those of run mlp-f1-s0 to the last digit: a copy")
    ]


def test_another_network_under_a_given_one_s_name_is_not_given(delivery, check):
    for seed in (0, 1):
        delivery.edit_record(f"net_linear-f1-s{seed}", lambda values: values["model"].update(label="other"))
        delivery.edit_record(f"mlp-f1-s{seed}", lambda values: values["model"].update(label="net_linear"))
    shares = {r.criterion: r for m in check(delivery).marks for r in m.reasons}
    assert shares["given_models_trained"].evidence == ("net_linear: trained",)
    assert any(line.startswith("net_linear: trained") for line in shares["new_models_trained"].evidence)


def test_a_picture_of_one_s_own_is_named_as_not_compared(delivery, check):
    def draw_oneself(cells):
        cell = next(c for c in code_cells(cells) if "plots.confusion_figure" in "".join(c["source"]))
        cell["source"] = "import mine\nmine.confusion(net_linear)"

    def twice(cells):
        cell = next(c for c in code_cells(cells) if "plots.all_curves_figure" in "".join(c["source"]))
        cell["outputs"].append(dict(cell["outputs"][0], output_type="display_data"))
        cell["outputs"][-1].pop("execution_count", None)

    delivery.edit(draw_oneself)
    delivery.edit(twice)
    (note,) = [
        note for note in check(delivery, pictures=True).notes if "that no record is held against" in note
    ]
    assert note.count("cell ") == 2


def test_weights_that_nobody_asked_are_not_said_to_agree(delivery, check):
    for name in ("net_linear", "mlp"):
        for seed in (0, 1):
            delivery.edit_record(
                f"{name}-f1-s{seed}", lambda values: values["data"].update(name="mine", reference="mine")
            )
    reasons = {r.criterion: r for m in check(delivery).marks for r in m.reasons}
    assert reasons["records_hold"].evidence == (
        "scores and curves agree with run.json (0 of 4 runs were asked again)",
    )


def test_a_full_set_that_is_not_here_accuses_nobody():
    from nablab.data.dataset import Dataset
    from nablab.data.sources.fashion_mnist import load_slice
    from nablab.grading import images
    from nablab.runs.record import DataRecord

    here: Dataset = load_slice()
    full = DataRecord(
        "fashion-mnist", "Fashion-MNIST (Zalando Research), full set", "ab" * 32, here.classes, (1, 28, 28),
        1.0, 1.0, 60_000, 0, 10_000, 60_000, reference="fashion-mnist",
    )  # fmt: skip
    found, findings, notes = images.find_images(full)
    if here.fingerprint == images._of_source("fashion-mnist")[0].fingerprint:  # only the slice is here
        assert (found, findings) == (None, [])
        assert "full set, are not here" in notes[0]
    assert images.find_images(full, given=here)[1]


def split_in_two(delivery):
    """Hand in the two models in folders of their own, `results` and `mine`, that one notebook reads."""
    mine = delivery.folder / "mine" / "runs"
    mine.mkdir(parents=True)
    for seed in (0, 1):
        shutil.move(delivery.run(f"mlp-f1-s{seed}"), mine)


def test_a_delivery_may_read_several_folders(delivery, check):
    import nablab

    split_in_two(delivery)
    tables = [nablab.results(delivery.folder / name).table().to_markdown() for name in ("results", "mine")]
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "execution_count": n, "source": source,
         "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"text/markdown": text}}]}
        for n, (source, text) in enumerate(
            (('given = nablab.results("results")', tables[0]), ('mine = nablab.results("mine")', tables[1]),
             ('other = nablab.results("gone")', "")), start=1)
    ]  # fmt: skip
    delivery.edit(lambda old: old.__setitem__(slice(None), cells))
    found = check(delivery, pictures=True)
    assert {f.subject for f in found.findings} <= {"piece"}
    shares = {r.criterion: r.share for m in found.marks for r in m.reasons}
    assert (shares["given_models_trained"], shares["new_models_trained"]) == (1, 1)
    assert found.facts["runs asked again"] == 4
    assert any("'gone'" in note for note in found.notes)
