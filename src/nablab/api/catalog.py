"""The networks and estimators that have names."""

from __future__ import annotations

from nablab.api.paths import as_name
from nablab.api.sheet import Sheet
from nablab.models.spec import Spec
from nablab.report import words


def spec(name_or_text: str) -> Spec:
    """The network of a catalog name, or of a string of the layer language.

    >>> str(spec("mlp"))
    '100-ReLU-K'

    Raises:
        UserError: neither; says where the string is wrong.
    """
    from nablab.models.catalog import spec as find

    return find(as_name(name_or_text, "a name of the catalog, or layers"))


def catalog() -> Sheet:
    """Every name that a model can be given by, with its size on Fashion-MNIST's images."""
    from nablab.models.catalog import CATALOG
    from nablab.models.cost import count
    from nablab.models.estimators import ESTIMATORS
    from nablab.models.shapes import trace

    rows = []
    for entry in CATALOG.values():
        cost = count(trace(entry.spec, (1, 28, 28), 10))
        rows.append((entry.name, entry.title, words.number(cost.parameters), words.short(cost.macs)))
    for estimator in ESTIMATORS.values():
        rows.append((estimator.name, f"{estimator.title} (scikit-learn)", words.NOTHING, words.NOTHING))
    notes = ("Parameters and MACs (multiply-accumulates an image) for 28 x 28 grey images, 10 classes.",)
    return Sheet(
        ("name", "what", "parameters", "MACs"), tuple(rows), "", notes, frozenset({"parameters", "MACs"})
    )
