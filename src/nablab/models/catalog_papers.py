"""Networks of published papers in their forms for images of 28 to 64 pixels, and a small one of ours."""

from __future__ import annotations

from collections.abc import Sequence

from nablab.models.catalog_entry import CatalogEntry


def _repeated(count: int, layers: str) -> str:
    one = layers.startswith("Res(") and layers.endswith(")")  # has brackets of its own
    return layers if count == 1 else f"{count}x{layers}" if one else f"{count}x({layers})"


def _resnet(widths: Sequence[int], blocks: Sequence[int], shortcut: str) -> str:
    """Stages of blocks of two convolutions; each stage after the first begins by halving the image.

    Args:
        widths: the filters of each stage.
        blocks: of each stage.
        shortcut: of the blocks that halve; `{width}` stands for their filters.
    """
    text = f"{widths[0]}C3b0-BatchNorm-ReLU"
    for width, count in zip(widths, blocks, strict=True):
        halving = width > widths[0]
        if halving:
            body = f"{width}C3s2b0-BatchNorm-ReLU-{width}C3b0-BatchNorm"
            text += f"-Res({body}|{shortcut.format(width=width)})-ReLU"
        block = f"Res({width}C3b0-BatchNorm-ReLU-{width}C3b0-BatchNorm)-ReLU"
        text += f"-{_repeated(count - halving, block)}"
    return f"{text}-GlobalAvgPool-K"


def _wide_resnet(depth: int, widening: int) -> str:
    """Three stages of (depth - 4) / 6 blocks of two convolutions, each of them normalised before."""
    text = "16C3b0"
    for width, stride in ((16 * widening, ""), (32 * widening, "s2"), (64 * widening, "s2")):
        # Where the shapes change, both ways read what is normalised; elsewhere the skip goes around that.
        text += f"-BatchNorm-ReLU-Res({width}C3{stride}b0-BatchNorm-ReLU-{width}C3b0|{width}C1{stride}b0)"
        block = f"Res(BatchNorm-ReLU-{width}C3b0-BatchNorm-ReLU-{width}C3b0)"
        text += f"-{_repeated((depth - 4) // 6 - 1, block)}"
    return f"{text}-BatchNorm-ReLU-GlobalAvgPool-K"


def _separable(filters: int, stride: str = "", times: int = 1) -> str:
    """A depthwise-separable convolution of MobileNet."""
    return "-" + _repeated(times, f"DW3{stride}b0-BatchNorm-ReLU-{filters}C1b0-BatchNorm-ReLU")


def _inverted(given: int, filters: int, stride: str = "", times: int = 1) -> str:
    """Inverted residual blocks of MobileNet v2: six times wider inside; only those that fit have a skip."""

    def block(channels: int, stride: str) -> str:
        wide = f"{6 * channels}C1b0-BatchNorm-ReLU6-DW3{stride}b0-BatchNorm-ReLU6"
        return f"{wide}-{filters}C1b0-BatchNorm"

    text = f"-{block(given, stride)}"
    return text if times == 1 else f"{text}-{_repeated(times - 1, f'Res({block(filters, str())})')}"


_OPTION_B = "{width}C1s2b0-BatchNorm"
_OPTION_A = "MaxPool1s2-Widen{width}"
_SMALL_STEM = (
    "In the form for small images: a first convolution of 3x3 with stride 1, and no pooling after it."
)

PAPERS = (
    CatalogEntry(
        "resnet18",
        _resnet((64, 128, 256, 512), (2, 2, 2, 2), _OPTION_B),
        "ResNet-18",
        f"He et al. 2016, with projections where shapes differ (option B). {_SMALL_STEM} "
        "11.17 million parameters on CIFAR-10.",
    ),
    CatalogEntry(
        "resnet20",
        _resnet((16, 32, 64), (3, 3, 3), _OPTION_A),
        "ResNet-20, the smallest of those for CIFAR-10",
        "He et al. 2016, section 4.2: shortcuts without parameters (option A), which drop every second pixel "
        "and append channels of zeros. 0.27 million parameters on CIFAR-10, where the paper reports 91.25 %.",
    ),
    CatalogEntry(
        "resnet34",
        _resnet((64, 128, 256, 512), (3, 4, 6, 3), _OPTION_B),
        "ResNet-34",
        f"He et al. 2016; where the course says that residual networks lead. {_SMALL_STEM} "
        "21.28 million parameters on CIFAR-10.",
    ),
    CatalogEntry(
        "wrn_16_4",
        _wide_resnet(16, 4),
        "wide residual network, 16 layers, 4 times wider",
        "Zagoruyko and Komodakis 2016, without dropout: normalisation and ReLU stand before each "
        "convolution. 2.7 million parameters on CIFAR-10.",
    ),
    CatalogEntry(
        "wrn_40_4",
        _wide_resnet(40, 4),
        "wide residual network, 40 layers, 4 times wider",
        "Zagoruyko and Komodakis 2016, without dropout; 8.9 million parameters on CIFAR-10. At 96.7 % the "
        "best of the published results on Fashion-MNIST that the course lists. Slow without a GPU.",
    ),
    CatalogEntry(
        "mobilenet",
        "32C3b0-BatchNorm-ReLU"
        + _separable(64)
        + _separable(128, "s2")
        + _separable(128)
        + _separable(256, "s2")
        + _separable(256)
        + _separable(512, "s2")
        + _separable(512, times=5)
        + _separable(1024, "s2")
        + _separable(1024)
        + "-GlobalAvgPool-K",
        "MobileNet v1: depthwise-separable convolutions",
        "Howard et al. 2017, table 1, at full width. For small images the first convolution has stride 1; "
        "the four that halve after it stay. With 1,000 classes it has the paper's 4.2 million parameters.",
    ),
    CatalogEntry(
        "mobilenet_v2",
        "32C3b0-BatchNorm-ReLU6-DW3b0-BatchNorm-ReLU6-16C1b0-BatchNorm"
        + _inverted(16, 24, times=2)
        + _inverted(24, 32, "s2", times=3)
        + _inverted(32, 64, "s2", times=4)
        + _inverted(64, 96, times=3)
        + _inverted(96, 160, "s2", times=3)
        + _inverted(160, 320)
        + "-1280C1b0-BatchNorm-ReLU6-GlobalAvgPool-K",
        "MobileNet v2: inverted residual blocks",
        "Sandler et al. 2018, table 2, at full width: the skip joins the narrow ends of a block, which no "
        "activation bends; its middle is six times wider. For small images the first convolution and the "
        "second stage have stride 1. With 1,000 classes it has 3.50 million parameters, the paper says 3.4.",
    ),
    CatalogEntry(
        "nab_small",
        "24C3b0-BatchNorm-ReLU-24C3b0-MaxPool2-BatchNorm-ReLU-48C3b0-BatchNorm-ReLU-48C3b0-MaxPool2"
        "-BatchNorm-ReLU-2x(60C3b0-BatchNorm-ReLU)-GlobalMaxPool-K",
        "six convolutions in under 100,000 parameters",
        "Ours: a plain network that stays under 100,000 parameters. The preset thorough brings it to 94.67 % "
        "on Fashion-MNIST (mean of 3 seeds). Pooling comes before normalisation and ReLU, which then see a "
        "quarter of the values.",
    ),
)
