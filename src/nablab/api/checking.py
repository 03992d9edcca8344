"""Is a gradient right? The court, for whatever has one: functions, files, networks, modules."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nablab.api.planning import DEFAULT_DATA
from nablab.api.sheet import Sheet, as_text
from nablab.errors import UserError
from nablab.report import words

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nablab.court import CourtReport, Finding
    from nablab.data.dataset import Dataset

Shape = tuple[int, ...]

_FILE_NEEDS = (
    "problem(rng), loss(params, x, y) and gradient(params, x, y), "
    "or the hand-outs' forward(W1, b1, w2, b2, x) and backward(y, q, h, x, w2)"
)


@dataclass(frozen=True, eq=False)
class GradientCheck:
    """The verdict on a gradient. Shows itself in a terminal and in a notebook.

    Attributes:
        label: what was checked.
        report: the verdict on each parameter, as plain data.
    """

    label: str
    report: CourtReport

    @property
    def right(self) -> bool:
        """Whether the gradient of every parameter is right."""
        return self.report.right

    def __getitem__(self, name: str) -> Finding:
        """The verdict on one parameter."""
        return self.report[name]

    def sheet(self) -> Sheet:
        """A row a parameter, and below what was done wrong."""
        headings = ("parameter", "shape", "verdict", "relative error", "cosine", "entries compared")
        rows = tuple(
            (
                finding.name,
                " x ".join(map(str, finding.shape)) or "number",
                "right" if finding.right else "wrong",
                words.NOTHING if finding.relative_error is None else f"{finding.relative_error:.1e}",
                words.NOTHING if finding.cosine is None else f"{finding.cosine:.4f}",
                str(finding.compared) + (f" (kinks at {finding.kinks})" if finding.kinks else ""),
            )
            for finding in self.report.findings
        )
        title = f"{self.label}: {self.report.summary}"
        right = frozenset({"relative error", "cosine", "entries compared"})
        return Sheet(headings, rows, title, (*self._explanations(), *self.report.notes), right)

    def _explanations(self) -> list[str]:
        """Causes and remarks, each once, with the parameters that they hold for."""
        said: dict[str, list[str]] = {}
        for finding in self.report.findings:
            text = finding.cause.text if finding.cause else finding.remark
            if text:
                said.setdefault(text, []).append(finding.name)
        return [f"{', '.join(names)}: {text}" for text, names in said.items()]

    def document(self) -> dict[str, Any]:
        """As plain data, as `--json` prints it."""
        return {"checked": self.label, **self.report.document()}

    def __rich__(self) -> RenderableType:
        return self.sheet()

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return self.sheet()._repr_html_()


def gradcheck(
    subject: Any,
    gradient: Callable[..., Any] | None = None,
    params: Mapping[str, Any] | Sequence[Any] | None = None,
    x: Any = None,
    y: Any = None,
    *,
    loss: Callable[..., Any] | None = None,
    data: str | Path | Dataset | None = None,
    seed: int = 0,
) -> GradientCheck:
    """Hold a gradient against central differences in float64, and say what is wrong with it.

    What can be checked:

    - `gradcheck(loss, gradient, params, x, y)`: NumPy functions of (params, x, y); `params` are named arrays.
    - `gradcheck("file.py")`: a file that defines `problem(rng)`, which returns (params, x, y), `loss` and
      `gradient`; or `forward` and `backward` as in the hand-outs.
    - `gradcheck("lenet")`, and every other network that `compare` takes: its layers, by PyTorch's autograd.
    - `gradcheck(module, x=x, y=y)`: a module of PyTorch or of `nablab.autograd.nn`.
    - `gradcheck(function, params=[a, b])`: a function of tensors of `nablab.autograd`, an operation say; with
      named arrays as `params`, a function of (params, x, y).

    Args:
        subject: see above.
        gradient: with a loss of NumPy only.
        params: the point at which to check.
        x: inputs; for networks random ones by default.
        y: labels; the same.
        loss: of (outputs, y), for networks; by default the cross entropy.
        data: whose shape and classes a network is for; by default 28 x 28 grey images, 10 classes.
        seed: draws what is random.

    >>> from nablab import autograd
    >>> gradcheck(autograd.tanh, params=[[0.5, -1.0]]).right
    True

    Raises:
        UserError: there is nothing that can be judged; says why.
    """
    from nablab import court

    if gradient is not None:
        return GradientCheck(_name(subject), court.gradcheck(subject, gradient, params, x, y, seed=seed))
    if isinstance(subject, str | Path) and str(subject).endswith(".py"):
        return GradientCheck(Path(subject).name, _of_file(str(subject), seed))
    if _is_engine_module(subject):
        from nablab.api.checked_networks import check_engine_module

        return GradientCheck(_name(subject), check_engine_module(subject, x, y, loss, seed))
    if params is not None:
        from nablab.api.checked_networks import check_engine_function

        return GradientCheck(_name(subject), check_engine_function(subject, params, x, y, seed))
    return _of_network(subject, x, y, loss, data, seed)


def _of_file(path: str, seed: int) -> CourtReport:
    from nablab.court import gradcheck as hold
    from nablab.court.handout import check_handout
    from nablab.models.user_code import blaming, load_file

    module = load_file(path)
    names = [name for name in ("problem", "loss", "gradient") if callable(getattr(module, name, None))]
    if len(names) == 3:
        with blaming(path, "calling problem(rng)"):
            params, x, y = _problem(module, seed)
        return hold(module.loss, module.gradient, params, x, y, seed=seed)
    if callable(getattr(module, "forward", None)) and callable(getattr(module, "backward", None)):
        loss = getattr(module, "loss", None)
        return check_handout(module.forward, module.backward, loss, seed=seed)
    found = f"it has only {' and '.join(names)}" if names else "it has none of these"
    raise UserError(f"{path} must define {_FILE_NEEDS}; {found}")


def _problem(module: ModuleType, seed: int) -> tuple[Any, Any, Any]:
    import numpy as np

    made = module.problem(np.random.default_rng(seed))
    if not isinstance(made, tuple) or len(made) != 3:
        raise UserError(f"{module.__file__}: problem(rng) must return params, x, y")
    return made


def _of_network(
    subject: Any,
    x: Any,
    y: Any,
    loss: Callable[..., Any] | None,
    data: str | Path | Dataset | None,
    seed: int,
) -> GradientCheck:
    from nablab.models.reference import resolve

    model = resolve(subject)
    if model.kind == "estimator":
        raise UserError(f"{model.label} is an estimator: it has no gradient that could be checked")
    import numpy as np

    from nablab.api.checked_networks import check_model, check_torch_module
    from nablab.models.user_code import blaming

    if (x is None) != (y is None):
        raise UserError("a network is checked on inputs and labels: give x and y, or neither")
    with blaming(model.label, "running it on the inputs and labels"):
        if model.live and x is not None and not isinstance(subject, type) and hasattr(subject, "parameters"):
            return GradientCheck(model.label, check_torch_module(subject, x, y, loss, seed))
        shape, classes = _fits(data) if x is None else (np.shape(x)[1:], int(np.max(y)) + 1)
        return GradientCheck(model.label, check_model(model, shape, classes, x, y, loss, seed))


def _fits(data: str | Path | Dataset | None) -> tuple[Shape, int]:
    from nablab.api.sources import load

    if data is None or (isinstance(data, str) and data == DEFAULT_DATA):
        return (1, 28, 28), 10
    dataset = load(data)
    return dataset.input_shape, len(dataset.classes)


def _is_engine_module(subject: Any) -> bool:
    # A module of the engine can only be there if the engine is: it need not be imported to find out.
    engine = sys.modules.get("nablab.autograd.nn")
    return engine is not None and isinstance(subject, engine.Module)


def _name(subject: Any) -> str:
    name = getattr(subject, "__name__", None) or getattr(subject, "name", None) or type(subject).__name__
    return str(name)
