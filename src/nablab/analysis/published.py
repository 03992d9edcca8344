"""Figures that others published on Fashion-MNIST, as data: what `nablab reproduce` holds ours against.

Each is a single run on its author's machine. What our reference stands for theirs is exact where they say
which model it is, and a guess, marked as such, where they don't.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HANDOUT = "course hand-out on back-propagation (UAB, problem session 3)"
BENCHMARK = "Fashion-MNIST's own benchmark of scikit-learn, as the hand-out lists it"
BOARD = "Fashion-MNIST's leader board of networks, as the hand-out lists it"

#: Images of the test set.
TEST_IMAGES = 10_000


@dataclass(frozen=True)
class Figure:
    """One published number."""

    fraction: float  #: of the 60,000 training images
    accuracy: float  #: on the test images, in [0, 1]
    digits: int  #: decimals that it is given in, of the accuracy in [0, 1]
    seconds: float | None = None  #: of training, on the author's machine; None: not said
    test_images: int = TEST_IMAGES  #: that it was measured on


@dataclass(frozen=True)
class Published:
    """One published row.

    Attributes:
        name: what `--rows` calls it.
        title: what its source calls it.
        detail: what the source says of it.
        source: where it stands.
        recipe: which of `RECIPES` it is trained by here.
        reference: what nablab trains for it; empty where there is no such thing.
        missing: why, where there is none.
        guess: whether the reference is our guess of what they mean.
    """

    name: str
    title: str
    detail: str
    source: str
    recipe: str
    figures: tuple[Figure, ...]
    reference: str = ""
    missing: str = ""
    guess: str = ""


@dataclass(frozen=True)
class PublishedRecipe:
    """How rows are trained here: a preset of `nablab.training.recipe` and what differs from it."""

    preset: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""


_MODERN = {"validation": 0.0, "epochs": 30}

RECIPES: Mapping[str, PublishedRecipe] = {
    "handout": PublishedRecipe(
        "handout",
        {"epochs": 8},
        "the hand-out's way; how many epochs it took, it does not say: after 8 its LeNet is where it says",
    ),
    "classical": PublishedRecipe(
        "handout",
        {"preprocessing": "standardize"},
        "features of zero mean and unit variance (one mean and deviation for all pixels; the source has one "
        "for each)",
    ),
    "flip": PublishedRecipe("default", _MODERN | {"augmentation": "flip"}, "horizontal flips"),
    "affine": PublishedRecipe(
        "default",
        _MODERN | {"augmentation": "flip,shift:2,rotate:10"},
        "normalisation, flips, translation, rotation; how far, the source does not say",
    ),
    "crop": PublishedRecipe(
        "default",
        _MODERN | {"augmentation": "flip,shift:4"},
        "mean and deviation, horizontal flips, random crops of the image padded by 4",
    ),
    "plain": PublishedRecipe("default", _MODERN, "how it was trained, the source does not say"),
}


def _handout(name: str, title: str, detail: str, guess: str, *figures: tuple[float, float]) -> Published:
    """A network of the hand-out: accuracy in % and seconds at 1, 10 and 100 % of the training images.

    They were measured on 10, 10 and 100 % of the test images.
    """
    parts = zip((0.01, 0.1, 1.0), (1000, 1000, TEST_IMAGES), figures, strict=True)
    return Published(
        name,
        title,
        detail,
        HANDOUT,
        "handout",
        tuple(Figure(fraction, round(p / 100, 3), 3, s, images) for fraction, images, (p, s) in parts),
        reference=name,
        guess=guess,
    )


def _on_all(accuracy: float, seconds: float | None = None) -> tuple[Figure, ...]:
    return (Figure(1.0, accuracy, 3, seconds),)


_WHICH = "the hand-out does not say which network it means"

FASHION_MNIST: tuple[Published, ...] = (
    _handout("net_linear", "Net_Linear", "one linear layer", "", (66.5, 1.03), (80.2, 3.7), (83.7, 58.4)),
    _handout(
        "lenet_tiny",
        "LeNet_tiny",
        "LeNet, four times smaller",
        _WHICH,
        (55.0, 1.95),
        (79.8, 7.7),
        (87.4, 129.2),
    ),
    _handout("lenet", "LeNet", "the one used for MNIST", _WHICH, (73.7, 6.15), (83.7, 30.9), (91.2, 536.0)),
    _handout(
        "fashion_cnn",
        "FashionCNN",
        "like LeNet, with batch normalisation",
        _WHICH,
        (72.8, 4.75),
        (83.7, 27.4),
        (89.7, 454.7),
    ),
    Published(
        "svc", "SVC", "C=10, kernel=poly", BENCHMARK, "classical", _on_all(0.897, 4359.0), reference="svc"
    ),
    Published(
        "random_forest",
        "RandomForestClassifier",
        "criterion=entropy, max_depth=50, n_estimators=100",
        BENCHMARK,
        "classical",
        _on_all(0.879, 519.0),
        reference="random_forest",
    ),
    Published(
        "mlp_classifier",
        "MLPClassifier",
        "activation=relu, hidden_layer_sizes=[100]",
        BENCHMARK,
        "classical",
        _on_all(0.877, 963.0),
        reference="mlp_classifier",
    ),
    Published(
        "knn",
        "KNeighborsClassifier",
        "n_neighbors=5, p=1, weights=distance",
        BENCHMARK,
        "classical",
        _on_all(0.860, 2513.0),
        reference="knn",
    ),
    Published(
        "linear_svc",
        "LinearSVC",
        "C=1, loss=hinge, multi_class=ovr, penalty=l2",
        BENCHMARK,
        "classical",
        _on_all(0.837, 2699.0),
        reference="linear_svc",
    ),
    Published(
        "two_conv",
        "2 conv, < 100K parameters",
        "",
        BOARD,
        "plain",
        _on_all(0.925),
        reference="32C3-BatchNorm-ReLU-MaxPool2-64C3-BatchNorm-ReLU-MaxPool2-24-ReLU-K",
        guess="two convolutions and 94,546 parameters are ours; the source says no more than the two words",
    ),
    Published(
        "mobilenet", "MobileNet", "horizontal flips", BOARD, "flip", _on_all(0.950), reference="mobilenet"
    ),
    Published(
        "resnet18",
        "ResNet18",
        "normalisation, flips, translation, rotation",
        BOARD,
        "affine",
        _on_all(0.949),
        reference="resnet18",
    ),
    Published(
        "wrn_40_4",
        "WRN-40-4",
        "8.9 M parameters; mean/std, random crops, horizontal flips",
        BOARD,
        "crop",
        _on_all(0.967),
        reference="wrn_40_4",
    ),
    Published(
        "automl",
        "Google AutoML",
        "24 compute hours",
        BOARD,
        "plain",
        _on_all(0.939, 86_400.0),
        missing="a service that searches for a network, and not a network",
    ),
)

#: What `nablab reproduce` knows, by the name of the data.
BOARDS: Mapping[str, tuple[Published, ...]] = {"fashion-mnist": FASHION_MNIST}
