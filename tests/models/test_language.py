"""The layer language: what strings mean, that printing reads back, and what errors say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nablab.errors import UserError
from nablab.models import spec as s
from nablab.models.language import parse, to_text

small = st.integers(1, 64)
odd = st.integers(0, 5).map(lambda n: 2 * n + 1)


@st.composite
def pools(draw: st.DrawFn, kind: type[s.MaxPool] | type[s.AvgPool]) -> s.Layer:
    kernel = draw(st.integers(1, 9))
    return kind(kernel, draw(st.none() | st.integers(1, 9)), draw(st.integers(0, kernel // 2)))


simple_layers = st.one_of(
    st.builds(s.Conv, small, odd, small, st.none() | st.integers(0, 9), small, st.booleans()),
    st.builds(s.Conv, small, small, small, st.integers(0, 9), small, st.booleans()),
    st.builds(s.DepthwiseConv, odd, small, st.none() | st.integers(0, 9), st.booleans()),
    st.builds(s.Linear, st.none() | small),
    pools(s.MaxPool),
    pools(s.AvgPool),
    st.builds(s.GroupNorm, small),
    st.builds(s.Widen, small),
    st.builds(s.Dropout, st.floats(0, 1, exclude_max=True)),
    st.builds(s.LeakyReLU, st.floats(0, allow_infinity=False)),
    st.sampled_from(
        [
            *(s.GlobalAvgPool(), s.GlobalMaxPool(), s.Flatten(), s.BatchNorm(), s.LayerNorm()),
            *(s.InstanceNorm(), s.ReLU(), s.ReLU6(), s.LeakyReLU(), s.PReLU(), s.ELU(), s.GELU(), s.SiLU()),
            *(s.Softplus(), s.Tanh(), s.Sigmoid()),
        ]
    ),
)
any_layers = st.recursive(
    simple_layers,
    lambda inner: st.builds(
        s.Residual, st.lists(inner, min_size=1, max_size=4).map(tuple), st.lists(inner, max_size=2).map(tuple)
    ),
    max_leaves=8,
)
specs = st.builds(s.Spec, st.lists(any_layers, min_size=1, max_size=6).map(tuple))


@given(specs)
def test_printing_reads_back(spec: s.Spec) -> None:
    text = to_text(spec)
    assert parse(text) == spec
    assert parse(text.lower()) == spec
    assert parse(text.upper()) == spec
    assert to_text(parse(text)) == text


def test_numbers_are_printed_without_sign_and_exponent() -> None:
    assert to_text(s.Spec((s.LeakyReLU(-0.0), s.Dropout(1e-7), s.LeakyReLU(3e20)))) == (
        "LeakyReLU0-Dropout0.0000001-LeakyReLU300000000000000000000"
    )


def test_every_layer_kind_is_in_the_round_trip() -> None:
    covered = {
        *(s.Conv, s.DepthwiseConv, s.Linear, s.MaxPool, s.AvgPool, s.GroupNorm, s.Dropout, s.LeakyReLU),
        *(s.GlobalAvgPool, s.GlobalMaxPool, s.Flatten, s.BatchNorm, s.LayerNorm, s.InstanceNorm, s.ReLU),
        *(s.ReLU6, s.Widen, s.PReLU, s.ELU, s.GELU, s.SiLU, s.Softplus, s.Tanh, s.Sigmoid, s.Residual),
    }
    assert covered == set(s.Layer.__subclasses__())


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("K", (s.Linear(None),)),
        ("20C5p0", (s.Conv(20, 5, padding=0),)),
        ("64C3", (s.Conv(64, 3, stride=1, padding=1),)),
        ("8c4g2P1S2", (s.Conv(8, 4, stride=2, padding=1, groups=2),)),
        ("DW7s2", (s.DepthwiseConv(7, 2, 3),)),
        ("8C3b0-DW3B0s2-8c1b1", (s.Conv(8, 3, bias=False), s.DepthwiseConv(3, 2, bias=False), s.Conv(8, 1))),
        ("ReLU6-relu-WIDEN32", (s.ReLU6(), s.ReLU(), s.Widen(32))),
        ("Res(8C3 | Widen8)", (s.Residual((s.Conv(8, 3),), (s.Widen(8),)),)),
        ("2xRes(ReLU|2x(Tanh))", (s.Residual((s.ReLU(),), (s.Tanh(), s.Tanh())),) * 2),
        ("MaxPool2", (s.MaxPool(2, 2, 0),)),
        ("AvgPool3s1p1", (s.AvgPool(3, 1, 1),)),
        ("leakyrelu.2-LeakyReLU", (s.LeakyReLU(0.2), s.LeakyReLU(0.01))),
        ("2x(Tanh-2x5)", (s.Tanh(), s.Linear(5), s.Linear(5)) * 2),
        ("2X8C1", (s.Conv(8, 1), s.Conv(8, 1))),
        ("Res( 8C3 - RELU )", (s.Residual((s.Conv(8, 3), s.ReLU())),)),
        ("100 – ReLU−K", (s.Linear(100), s.ReLU(), s.Linear(None))),
    ],
)
def test_meaning(text: str, layers: tuple[s.Layer, ...]) -> None:
    assert parse(text).layers == layers


def test_the_pasted_notation_of_the_hand_out() -> None:
    pasted = "64C3s1-BatchNorm-ReLU-64C3s1-BatchNorm-ReLU-MaxPool2s2-Dropout0.4-K"
    assert str(parse(pasted)) == "64C3-BatchNorm-ReLU-64C3-BatchNorm-ReLU-MaxPool2-Dropout0.4-K"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "20C5-ReLU-Maxpol2-K",
            '"20C5-ReLU-»Maxpol2«-K": layer 3, "Maxpol2" (character 11): no such layer; did',
        ),
        ("", "an empty text is no network"),
        ("8C4-K", 'layer 1, "8C4" (character 1): 8C4 has an even kernel'),
        ("3x-K", "what is repeated must follow"),
        ("0x(8C3)-K", "the repeat must make from 1 to 1000 layers"),
        ("99x(99x8C3)-K", 'layer 1, "99x" (character 1): the repeat must make'),
        ("K)", '")" (character 2): is not open'),
        ("Res(8C3-K", 'layer 1, "Res" (character 1): its bracket is never closed'),
        ("8C3-Res(8C3--ReLU)", 'layer 2.2, "-" (character 13): a layer is missing here'),
        ("8C3-", "layer 2, the end (character 5): a layer is missing here"),
        ("8C3 ReLU", 'layers are joined by "-"'),
        ("Dropout1-K", "Dropout must be from 0 to below 1, not 1.0"),
        ("Dropout-K", "Dropout needs a number, e.g. Dropout0.5"),
        ("ReLU7", "ReLU takes no such number"),
        ("ReLU62", "ReLU6 takes no such number; write ReLU6"),
        ("Widen-K", "Widen needs a number, e.g. Widen32"),
        ("Widen0-K", "the number of channels of Widen must be a whole number from 1"),
        ("8C3b2", "the bias of a convolution must be 1 (there) or 0 (left out), not 2"),
        ("100b0", "no such layer"),
        ("8C3|8C1", '"|" (character 4): stands only between the body of a Res(...) and its one'),
        ("(8C3|8C1)", 'layer 1, "|" (character 5): stands only between'),
        ("Res(8C3|8C1|8C1)", 'layer 1, "|" (character 12): stands only between'),
        ("Res(8C3|)", 'layer 1|1, ")" (character 9): a layer is missing here'),
        ("Res(|8C3)", 'layer 1.1, "|" (character 5): a layer is missing here'),
        ("K-Res(8C3|8C1-Rlu)", 'layer 2|2, "Rlu" (character 15): no such layer; did you mean ReLU'),
        ("Res(8C3|8C1", 'layer 1, "Res" (character 1): its bracket is never closed'),
        ("Res(8C3|" + "(" * 30 + "K" + ")" * 31, "more than 20 brackets"),
        ("3x(Res(ReLU|300x(Tanh-ReLU)))", "the repeat must make"),
        ("MaxPool2.5", "MaxPool takes no such number"),
        ("MaxPool0", "the kernel of a pool must be a whole number from 1"),
        ("MaxPool2p2", "at most half its kernel"),
        ("MaxPool2g2", 'it takes no option "g"'),
        ("8C3s1s2", 'it has the option "s" twice'),
        ("64D3", "a convolution is written as 64C3"),
        ("99999999999", "is too large"),
        ("Qwx-K", "no such layer; known: 64C3"),
        ("(" * 30 + "K" + ")" * 30, "more than 20 brackets"),
        ("-".join(["ReLU"] * 1001), "more than 1000 layers"),
    ],
)
def test_errors_point_at_the_token(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(text)
    said = str(caught.value)
    assert message in said
    assert "\n" not in said
    assert len(said) < 420


@given(st.text(alphabet="0123456789CcKx-()|spb gRes.MaxPoolDropout\n\t٣²", max_size=30))
def test_any_text_is_a_network_or_a_clear_error(text: str) -> None:
    try:
        spec = parse(text)
    except UserError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert parse(to_text(spec)) == spec


@pytest.mark.parametrize(
    "make",
    [
        lambda: s.Conv(0, 3),
        lambda: s.Conv(8, 3, stride=0),
        lambda: s.Conv(8, True),
        lambda: s.Conv(8, 4),
        lambda: s.DepthwiseConv(4),
        lambda: s.Linear(2**40),
        lambda: s.MaxPool(2, 0),
        lambda: s.GroupNorm(0),
        lambda: s.Dropout(float("nan")),
        lambda: s.LeakyReLU(-1.0),
        lambda: s.Dropout("0.5"),
        lambda: s.LeakyReLU(None),
        lambda: s.Spec(s.Conv(8, 3)),
        lambda: s.Residual(()),
        lambda: s.Residual((s.ReLU(),), ("ReLU",)),
        lambda: s.Conv(8, 3, bias=2),
        lambda: s.Widen(0),
        lambda: s.Spec(()),
        lambda: s.Spec(("ReLU",)),
    ],
)
def test_layers_that_mean_nothing_cannot_be_made(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError):
        make()


def test_layers_are_values() -> None:
    assert hash(parse("8C3-K")) == hash(s.Spec([s.Conv(8, 3), s.Linear(None)]))  # type: ignore[arg-type]
