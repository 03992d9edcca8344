"""Figures show the series of the view; as SVG they follow the page and keep out of each other's way."""

from __future__ import annotations

import dataclasses
import itertools
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from nablab.report.plots import all_curves_figure, confusion_figure, curves_figure, scatter_figure
from nablab.report.plots_labels import Rectangle, place_labels, spread
from nablab.report.plots_svg import css_variables, themed_svg
from nablab.report.plots_theme import DARK, LIGHT, stroke
from nablab.report.view_types import PointView


def section(view, label="lenet"):
    return next(one for one in view.sections if one.label == label)


def test_curves_are_the_means_and_bands_of_the_view(view):
    curves = section(view).curves[-1]
    figure = curves_figure(curves)
    for axes, bands in zip(figure.axes, (curves.loss, curves.accuracy), strict=True):
        lines = {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}
        assert lines.keys() == bands.keys()
        for name, band in bands.items():
            np.testing.assert_array_equal(lines[name].get_xdata(), band.epochs)
            np.testing.assert_array_equal(lines[name].get_ydata(), band.mean)
        assert len(axes.collections) == len(bands), "a band for each series of several seeds"
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "running", "train", "validation", "test",
    ]  # fmt: skip


def test_the_kept_epoch_is_marked_when_it_is_not_the_last(view):
    curves = section(view).curves[-1]

    def marked(one):
        return [text.get_text() for axes in curves_figure(one).axes for text in axes.texts]

    assert not any("kept" in text for text in marked(curves))
    early = dataclasses.replace(curves, kept_epochs=(2, 3, 4))
    assert sum("kept" in text for text in marked(early)) == 2


def test_one_epoch_and_one_seed_can_be_drawn(view):
    curves = section(view).curves[-1]

    def first(bands):
        return {name: dataclasses.replace(band, **{
            field.name: getattr(band, field.name)[:1] for field in dataclasses.fields(band)
        }) for name, band in bands.items()}  # fmt: skip

    one = dataclasses.replace(curves, loss=first(curves.loss), accuracy=first(curves.accuracy))
    low, high = curves_figure(one).axes[0].get_xlim()
    assert low < 1 < high


def test_all_curves_name_every_model_once_and_apart(view):
    figure = all_curves_figure(view)
    names = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(names) == sorted(curves.label for curves in view.curves)
    low, high = figure.axes[0].get_ylim()
    heights = sorted(text.xyann[1] for text in figure.axes[0].texts)
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 0.049 * (high - low)


def test_a_model_has_one_stroke_in_all_figures(view):
    colors = {text.get_text(): text.get_color() for text in all_curves_figure(view).axes[0].texts}
    scatter = scatter_figure(view, view.time_points, "time", seconds=True)
    others = {text.get_text(): text.get_color() for text in scatter.axes[0].texts}
    assert colors
    assert {label: others[label] for label in colors if label in others}.items() <= colors.items()


def test_scatter_shows_points_with_their_range_and_leaves_out_what_has_no_logarithm(view):
    points = view.parameter_points
    zero = dataclasses.replace(points[0], label=points[1].label, x=0.0, fraction=0.001)
    figure = scatter_figure(view, (*points, zero), "parameters")
    shown = {tuple(np.ravel(line.get_xydata())) for line in figure.axes[0].get_lines()}
    for point in points:
        assert (point.x, point.accuracy) in shown
    bars = [path.get_segments()[0] for path in figure.axes[0].collections]
    drawn = sorted((bar[0][1], bar[1][1]) for bar in bars)
    np.testing.assert_allclose(drawn, sorted((point.low, point.high) for point in points))
    assert [text.get_text() for text in figure.axes[0].texts] == [point.label for point in points]


def point_at(x: float, accuracy: float, fraction: float = 1.0, label: str = "lenet") -> PointView:
    return PointView(label, fraction, x, accuracy, accuracy, accuracy, 1)


def test_a_name_keeps_off_the_line_of_its_model(view):
    """Right and left of its last point, which are nearest, the line would strike it through."""
    points = [point_at(1.0, 0.8, 0.1), point_at(100.0, 0.8, 0.5), point_at(10.0, 0.8)]
    figure = scatter_figure(view, points, "seconds")
    (axes,) = figure.axes
    (name,) = axes.texts
    box = name.get_window_extent(FigureCanvasAgg(figure).get_renderer())
    left, height = axes.transData.transform((1.0, 0.8))
    right, _ = axes.transData.transform((100.0, 0.8))
    assert box.x0 < right
    assert box.x1 > left
    assert not box.y0 < height < box.y1


@pytest.mark.parametrize("kind", ["scatter", "curves"])
def test_the_name_of_an_axis_has_room_beside_long_ticks(view, kind):
    figure = scatter_figure(view, [point_at(1.0, 0.675), point_at(2.0, 0.8, label="net_linear")], "t")
    if kind == "curves":
        figure = curves_figure(section(view).curves[-1], ("accuracy",))
        figure.axes[0].set_ylim(0.67, 0.83)
    renderer = FigureCanvasAgg(figure).get_renderer()
    (axes,) = figure.axes
    ticks = [tick for tick in axes.get_yticklabels() if tick.get_text()]
    assert any(tick.get_text() == "72.5 %" for tick in ticks)
    name = axes.yaxis.label
    figure.draw(renderer)
    assert name.get_window_extent(renderer).x0 >= 0
    assert name.get_window_extent(renderer).x1 < min(t.get_window_extent(renderer).x0 for t in ticks)


def test_no_points_give_an_empty_figure(view):
    assert themed_svg(scatter_figure(view, (), "parameters"), "k", "nothing")


def test_ticks_read_as_times(view):
    figure = scatter_figure(view, view.time_points, "training", seconds=True)
    figure.draw_without_rendering()
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert 2 <= len(ticks) <= 6
    assert all(re.fullmatch(r"\d+(\.\d+)? (µs|ms|s|min|h)", tick) for tick in ticks)


def test_the_matrix_has_its_counts(view):
    confusion = section(view).confusion
    figure = confusion_figure(confusion, title="lenet")
    written = sorted(int(text.get_text().replace(",", "")) for text in figure.axes[0].texts)
    assert written == sorted(confusion.counts[confusion.counts > 0].tolist())


def test_the_matrix_of_many_classes_is_no_larger_and_has_no_numbers(view):
    confusion = section(view).confusion
    counts = np.full((100, 100), 3)
    many = dataclasses.replace(confusion, counts=counts, classes=confusion.classes * 25)
    figure = confusion_figure(many, title="lenet")
    assert max(figure.get_size_inches()) < 14
    assert list(figure.axes[0].texts) == []


@pytest.mark.parametrize("name", ["$x^2$", "_hidden", "a <b> & c", "日本", "\x07bell"])
def test_names_are_shown_as_they_are(view, name):
    curves = tuple(dataclasses.replace(one, label=name) for one in view.curves[:1])
    rows = (dataclasses.replace(view.rows[0], label=name), *view.rows[1:])
    svg = themed_svg(all_curves_figure(dataclasses.replace(view, curves=curves, rows=rows)), "k", name)
    written = "".join(ElementTree.fromstring(svg).itertext())
    assert name.replace("\x07", "�") in written


def test_svg_is_the_same_each_time_and_ids_of_two_figures_differ(view):
    curves = section(view).curves[-1]
    first, again, other = (themed_svg(curves_figure(curves), key, "curves") for key in ("a", "a", "b"))
    assert first == again
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (first, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', first)) <= ids[0]


def test_svg_follows_the_page(view):
    svg = themed_svg(curves_figure(section(view).curves[-1]), "k", 'the "label" & more')
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == 'the "label" & more'
    assert "<style" not in svg
    assert "metadata" not in svg
    assert "font-family" not in svg
    assert "currentColor" in svg
    bare = re.sub(r"var\(--[a-z0-9-]+, #[0-9a-f]{6}\)", "", svg)
    assert set(re.findall(r"#[0-9a-f]{6}\b", bare)) == set(), "every colour is a variable of the page"
    assert set(re.findall(r"var\((--[a-z0-9-]+)", svg)) <= {*css_variables(dark=False), "--paper"}
    assert css_variables(dark=True).keys() == css_variables(dark=False).keys()


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2)."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("colors", "paper"), [(LIGHT, "#fbfaf7"), (DARK, "#14161a")])
def test_strokes_stand_out_from_the_page(colors, paper):
    for color in colors:
        a, b = sorted((luminance(color), luminance(paper)))
        assert (b + 0.05) / (a + 0.05) >= 4.5, f"{color}: names are written in it too"


def test_strokes_differ_without_their_colour():
    looks = [stroke(i) for i in range(24)]
    assert len({(look.dash, look.marker) for look in looks[:8]}) == 8
    assert len(set(looks)) == 24


def test_pyplot_is_left_alone():
    code = """if True:
        import sys
        from nablab.analysis.curves import Curves
        from nablab.report.plots import curves_figure
        curves_figure(Curves("a", 1.0, 1, {}, {}, ()))
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", code], check=True)


@settings(deadline=None)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=8))
def test_spread_names_keep_their_order_and_distance(positions):
    placed = spread(positions, 1.0, 0.0, 10.0)
    assert all(-1e-9 <= place <= 10 + 1e-9 for place in placed)
    order = np.argsort(positions, kind="stable")
    steps = np.diff(np.array(placed)[order])
    assert (steps >= 1 - 1e-9).all()


def test_names_that_have_room_stay():
    assert spread([1.0, 5.0, 3.0], 1.0, 0.0, 10.0) == [1.0, 5.0, 3.0]


def test_labels_of_near_points_do_not_cover_each_other():
    points = [(100.0, 100.0), (104.0, 102.0), (98.0, 104.0), (150.0, 100.0)]
    sizes = [(60.0, 12.0)] * 4
    dots = [Rectangle(x - 6, y - 6, 12, 12) for x, y in points]
    frame = Rectangle(0, 0, 400, 300)
    corners = place_labels(points, sizes, dots, frame)
    boxes = [Rectangle(x, y, 60, 12) for x, y in corners]
    assert all(a.overlap(b) == 0 for a, b in itertools.combinations(boxes, 2))
    assert all(box.outside(frame) == 0 for box in boxes)
