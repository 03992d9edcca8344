"""Linear probes by name: `features:NAME` is logistic regression on the frozen features of a backbone."""

from __future__ import annotations

import os
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nablab.errors import UserError
from nablab.models.labels import label_of_name
from nablab.models.model import Model, Setting
from nablab.models.named_code import name_code

#: Before a backbone.
FEATURES = "features:"

#: Libraries that backbones come from, and the packages that they are.
LIBRARIES = {"torchvision": "torchvision", "timm": "timm", "hf": "transformers"}

#: A backbone of one's own: a class in a file, and its weights.
IN_FILE = re.compile(r"(?P<path>.+?\.py):(?P<name>\w+)(?:@(?P<weights>.+))?")

#: Inverse strengths of the L2 penalty that are tried, from strong to weak.
STRENGTHS = (0.001, 0.01, 0.1, 1.0)


def probe(reference: str) -> Model:
    """The linear probe that a reference names (Alain and Bengio 2016). Its backbone is not loaded yet.

    Features are standardised, and the penalty is chosen among `STRENGTHS` by the validation images.

    Raises:
        UserError: the backbone's library is not installed, or its file is not there.
    """
    backbone = "@".join(map(os.path.expanduser, reference[len(FEATURES) :].strip().split("@")))
    _check(reference, backbone)
    name_code(FEATURES + backbone, code_of(backbone))
    settings = tuple(
        Setting(f"LogisticRegression(C={strength:g}) on {backbone}", _maker(backbone, strength))
        for strength in STRENGTHS
    )
    return Model(
        label=label_of_name(f"{Path(backbone.partition('@')[0]).name.replace('.py:', '_')}-probe"),
        reference=FEATURES + backbone,
        kind="estimator",
        detail=f"logistic regression on frozen features of {backbone}",
        estimator=settings[0].make,
        score_kind="probabilities",
        seeded=False,
        settings=settings,
        slow=f"{backbone} computes the features of every image once; they are kept in the cache",
        fed="unit",
    )


def code_of(backbone: str) -> str:
    """What is loaded of a backbone: a file, or a name in a library.

    >>> code_of("net.py:Net@net.safetensors"), code_of("torchvision/resnet18")
    ('net.py', 'torchvision/resnet18')
    """
    found = IN_FILE.fullmatch(backbone)
    return found["path"] if found else backbone


def require(library: str) -> None:
    """Refuse a library that is not installed, without importing it.

    Raises:
        UserError: what to install, with the PyTorch that is here, since pip would else bring another.
    """
    package = LIBRARIES[library]
    if find_spec(package) is None:
        here = version("torch").partition("+")[0]
        raise UserError(
            f"features:{library}/... needs {package}, which is not installed: "
            f"pip install 'nablab[pretrained]' torch=={here}"
        )


def _check(reference: str, backbone: str) -> None:
    library, _, name = backbone.partition("/")
    if library in LIBRARIES:
        if not name:
            raise UserError(f"{reference}: which of {LIBRARIES[library]}'s? As in {_EXAMPLES[library]}")
        require(library)
        return
    if backbone.endswith(".pt2") or re.search(r"\.py:\w+(@.+)?$", backbone):
        file = Path(re.sub(r":\w+(@.+)?$", "", backbone) if ".py:" in backbone else backbone)
        if not file.is_file():
            raise UserError(f"{reference}: no file {file}")
        return
    raise UserError(
        f"{reference}: no such backbone; write {', '.join(_EXAMPLES.values())}, "
        "features:backbone.pt2 or features:net.py:Net@net.safetensors"
    )


_EXAMPLES = {
    "torchvision": "features:torchvision/resnet18",
    "timm": "features:timm/mobilenetv3_small_100",
    "hf": "features:hf/facebook/dinov2-small",
}


def _maker(backbone: str, strength: float) -> Any:
    def make(_seed: int) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        from nablab.models.backbone_features import BackboneFeatures

        return Pipeline(
            [
                ("features", BackboneFeatures(backbone)),
                ("scale", StandardScaler()),
                ("regression", LogisticRegression(C=strength, max_iter=1000)),
            ]
        )

    return make
