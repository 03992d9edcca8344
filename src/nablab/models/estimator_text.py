"""How a scikit-learn estimator is written: `sklearn.svm.SVC(C=10,kernel=poly)`, read as data.

Python's own parser gives the tree, of which only literals, words and further estimators are taken; nothing is
evaluated and nothing imported. `C=1|10` leaves a choice, to be made among the training images.
"""

from __future__ import annotations

import ast
import itertools
import math
import warnings
from dataclasses import dataclass
from typing import Any

from nablab.errors import UserError

#: Characters of a reference at most.
LONGEST = 2000
#: Combinations of choices at most.
MOST = 100

_EXAMPLE = "as in sklearn.svm.SVC(C=10,kernel=poly)"


@dataclass(frozen=True)
class Choices:
    """Alternatives of one setting, in the order given."""

    options: tuple[Any, ...]


@dataclass(frozen=True)
class EstimatorText:
    """A dotted path with settings. A value is a literal, a list or tuple or dictionary of values, another
    `EstimatorText`, or `Choices`; a bare word is its text."""

    path: str
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    def __str__(self) -> str:
        """The name with its settings, spelled as they are written.

        >>> str(read("sklearn.svm.SVC( C=1|10, kernel='poly' )"))
        'SVC(C=1|10, kernel=poly)'
        """
        return f"{self.name}({', '.join(f'{key}={_spelled(value)}' for key, value in self.settings)})"


def read(text: str) -> EstimatorText:
    """The path and the settings of a reference.

    >>> read("sklearn.neural_network.MLPClassifier(hidden_layer_sizes=[100,50])").settings
    (('hidden_layer_sizes', [100, 50]),)

    Raises:
        UserError: not such a text (where), settings without names, one that comes twice.
    """
    if len(text) > LONGEST:
        raise UserError(f"{text[:40]}... has over {LONGEST} characters; that is no estimator")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of doubtful but legal Python
            tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise UserError(
            f"{text}: cannot be read from character {error.offset or 1} on; write it {_EXAMPLE}"
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise UserError(f"{text:.80}: cannot be read; write it {_EXAMPLE}") from None
    return _estimator(tree, text)


def expand(text: EstimatorText) -> tuple[EstimatorText, ...]:
    """Every combination of the choices in a text, the last choice changing fastest.

    >>> [str(one) for one in expand(read("sklearn.svm.SVC(C=1|10,gamma=scale|0.1)"))][1:3]
    ['SVC(C=1, gamma=0.1)', 'SVC(C=10, gamma=scale)']

    Raises:
        UserError: over 100 of them.
    """
    if (count := _combinations(text)) > MOST:
        raise UserError(f"{text} leaves {count} combinations to try; leave at most {MOST}")
    return tuple(_expanded(text))


def _expanded(value: Any) -> list[Any]:
    if isinstance(value, Choices):
        return [one for option in value.options for one in _expanded(option)]
    if isinstance(value, EstimatorText):
        names = [name for name, _ in value.settings]
        every = itertools.product(*(_expanded(inner) for _, inner in value.settings))
        return [EstimatorText(value.path, tuple(zip(names, one, strict=True))) for one in every]
    if isinstance(value, list | tuple):
        return [type(value)(one) for one in itertools.product(*map(_expanded, value))]
    if isinstance(value, dict):
        inner = itertools.product(*map(_expanded, value.values()))
        return [dict(zip(value, one, strict=True)) for one in inner]
    return [value]


def _combinations(value: Any) -> int:
    if isinstance(value, Choices):
        return sum(map(_combinations, value.options))
    if isinstance(value, EstimatorText):
        return math.prod(_combinations(inner) for _, inner in value.settings)
    if isinstance(value, dict):
        value = list(value.values())
    return math.prod(map(_combinations, value)) if isinstance(value, list | tuple) else 1


def _estimator(node: ast.expr, text: str) -> EstimatorText:
    if not isinstance(node, ast.Call):
        return EstimatorText(_path(node, text))
    if node.args:
        raise UserError(f"{text}: {ast.unparse(node.args[0])} has no name; write name=value, {_EXAMPLE}")
    settings: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise UserError(f"{text}: ** is not understood; write name=value, {_EXAMPLE}")
        if keyword.arg in settings:
            raise UserError(f"{text}: {keyword.arg} comes twice")
        settings[keyword.arg] = _value(keyword.value, text)
    return EstimatorText(_path(node.func, text), tuple(settings.items()))


def _path(node: ast.expr, text: str) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_path(node.value, text)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    raise UserError(f"{text}: {ast.unparse(node)} names no estimator; write it {_EXAMPLE}")


def _value(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return node.value
        case ast.Name(id=word):
            return word
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return Choices((*_options(_value(left, text)), *_options(_value(right, text))))
        case ast.BinOp(op=ast.Sub(), left=left, right=ast.Name(id=word)):
            if isinstance(start := _value(left, text), str):  # one of scikit-learn's words, as newton-cg
                return f"{start}-{word}"
        case ast.List(elts=items):
            return [_value(item, text) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item, text) for item in items)
        case ast.Dict(keys=keys, values=values) if all(isinstance(key, ast.expr) for key in keys):
            pairs = zip(keys, values, strict=True)
            return {_key(key, text): _value(value, text) for key, value in pairs if key is not None}
        case ast.Call() | ast.Attribute():
            return _estimator(node, text)
    raise UserError(
        f"{text}: {ast.unparse(node)} is no value; give a number, a word, a list or another estimator"
    )


def _key(node: ast.expr, text: str) -> Any:
    key = _value(node, text)
    if not isinstance(key, str | int | float):
        raise UserError(f"{text}: {ast.unparse(node)} cannot be a key; give a number or a word")
    return key


def _options(value: Any) -> tuple[Any, ...]:
    return value.options if isinstance(value, Choices) else (value,)


def _spelled(value: Any) -> str:
    if isinstance(value, Choices):
        return "|".join(map(_spelled, value.options))
    if isinstance(value, list):
        return f"[{', '.join(map(_spelled, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_spelled, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_spelled(key)}: {_spelled(inner)}' for key, inner in value.items())}}}"
    return str(value)
