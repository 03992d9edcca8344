"""The order of the packages: data flows one way, lazy imports included."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "nablab"

#: A package may import from those in lines above it, and from itself; two in one line do not know each other.
ORDER = (
    ("errors",),
    ("atomic", "machine"),
    ("autograd", "byhand"),
    ("court",),
    ("data",),
    ("models",),
    ("training",),
    ("runs",),
    ("analysis",),
    ("doctor",),
    ("report",),
    ("lessons", "grading"),
    ("api",),
    ("",),  # nablab/__init__.py
    ("cli", "page"),
    ("__main__",),
)
RANK = {package: rank for rank, line in enumerate(ORDER) for package in line}

#: Programs of a user that ship with the package: what they may import is held by tests/lessons/test_labs.py.
PROGRAMS = (SOURCE / "lessons" / "labs", SOURCE / "lessons" / "solutions")

#: What records are read and drawn with must work where torch is not installed.
WITHOUT_TORCH = ("analysis", "report")


@dataclass(frozen=True)
class Import:
    importer: str  #: `nablab.models.shapes`
    imported: str  #: `nablab.errors.UserError`, `torch.nn`: a module or a name in one
    line: int
    eager: bool  #: done when the importer is imported, not inside a function or for type checkers

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def module_name(path: Path, root: Path) -> str:
    parts = ("nablab", *path.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def find_imports(text: str, module: str, *, is_package: bool = False) -> Iterator[Import]:
    """Every import in a file's text: statements at any depth, and `import_module("...")`."""

    def visit(node: ast.AST, eager: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno, eager)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package)
            for alias in node.names:
                yield Import(module, f"{base}.{alias.name}", node.lineno, eager)
        elif isinstance(node, ast.Call) and _imports_by_name(node):
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield Import(module, argument.value, node.lineno, eager)
        inside = (
            eager and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        ) and not _is_type_checking(node)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    yield from visit(ast.parse(text), True)


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    package = module.split(".") if is_package else module.split(".")[:-1]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, *([node.module] if node.module else [])])


def _imports_by_name(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in ("import_module", "__import__") and bool(node.args)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def package_of(name: str) -> str:
    """`models` of `nablab.models.shapes`; the empty text for names of `nablab` itself."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in RANK else ""


def out_of_order(imports: list[Import]) -> list[str]:
    """The imports that go against `ORDER`."""
    wrong = []
    for item in imports:
        if item.imported.split(".")[0] != "nablab" or item.imported == "nablab.__version__":
            continue
        importer, imported = package_of(item.importer), package_of(item.imported)
        if importer != imported and RANK[importer] <= RANK[imported]:
            wrong.append(str(item))
    return wrong


def reaching(imports: list[Import], packages: tuple[str, ...], library: str) -> list[str]:
    """The imports of `library` in `packages`, and in all that they load by importing.

    What a module of `packages` imports lazily counts as loaded by it; beyond those modules, eager imports.
    """
    modules = {item.importer for item in imports}
    by_module: dict[str, list[Import]] = {}
    for item in imports:
        by_module.setdefault(item.importer, []).append(item)
    todo = [m for m in modules if package_of(m) in packages]
    seen, found = set(todo), []
    while todo:
        module = todo.pop()
        for item in by_module.get(module, []):
            if not item.eager and package_of(module) not in packages:
                continue
            if item.imported.split(".")[0] == library:
                found.append(str(item))
            for loaded in (item.imported, item.imported.rpartition(".")[0]):
                if loaded in modules and loaded not in seen and loaded != "nablab":
                    seen.add(loaded)
                    todo.append(loaded)
    return found


def imports_of(root: Path) -> list[Import]:
    return [
        item
        for path in sorted(root.rglob("*.py"))
        if path.parent not in PROGRAMS
        for item in find_imports(
            path.read_text(encoding="utf-8"),
            module_name(path, root),
            is_package=path.name == "__init__.py",
        )
    ]


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    return imports_of(SOURCE)


def test_every_package_has_a_place_in_the_order() -> None:
    packages = {p.stem for p in SOURCE.iterdir() if p.is_dir() or p.suffix == ".py"}
    assert packages - {"__pycache__", "__init__", "py"} <= set(RANK)


def test_data_flows_one_way(imports: list[Import]) -> None:
    assert out_of_order(imports) == []


def test_records_are_read_and_drawn_without_torch(imports: list[Import]) -> None:
    assert reaching(imports, WITHOUT_TORCH, "torch") == []


def test_the_pure_packages_import_numpy_only(imports: list[Import]) -> None:
    allowed = {*sys.stdlib_module_names, "__future__", "numpy", "threadpoolctl", "nablab"}
    foreign = [
        str(item)
        for item in imports
        if package_of(item.importer) in ("autograd", "byhand", "court")
        and item.imported.split(".")[0] not in allowed
    ]
    assert foreign == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("nablab.data.split", "from nablab.training import recipe"),
        ("nablab.data.split", "def f():\n    from nablab.models.spec import Spec"),
        ("nablab.data.split", "if TYPE_CHECKING:\n    import nablab.models.spec"),
        ("nablab.data.split", "from ..models import spec"),
        ("nablab.data.split", "import importlib\nimportlib.import_module('nablab.runs.store')"),
        ("nablab.data.split", "from nablab import load"),
        ("nablab.errors", "from nablab.atomic import write_text"),
        ("nablab.autograd.ops", "from nablab.byhand import softmax"),
        ("nablab.api.comparison", "from nablab.cli import main"),
        ("nablab.report.view", "class A:\n    def f(self):\n        import nablab.api"),
    ],
)
def test_an_import_against_the_order_is_found(module: str, text: str) -> None:
    assert len(out_of_order(list(find_imports(text, module)))) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("nablab.training.loop", "from nablab.data.split import split"),
        ("nablab.training.loop", "from nablab.training.recipe import Recipe"),
        ("nablab.training.loop", "from . import recipe"),
        ("nablab.cli.compare", "def f():\n    import nablab.api"),
        ("nablab.runs.environment", "from nablab import __version__"),
        ("nablab.data.split", "import numpy, torch"),
    ],
)
def test_an_import_along_the_order_is_not(module: str, text: str) -> None:
    assert out_of_order(list(find_imports(text, module))) == []


@pytest.mark.parametrize(
    ("files", "caught"),
    [
        ({"nablab.report.html": "import torch"}, True),
        ({"nablab.report.html": "def f():\n    from torch import nn"}, True),
        (
            {"nablab.report.html": "from nablab.models.net import Net", "nablab.models.net": "import torch"},
            True,
        ),
        (
            {
                "nablab.analysis.a": "def f():\n    from nablab.models import net",
                "nablab.models.net": "import torch.nn",
            },
            True,
        ),
        (
            {
                "nablab.report.html": "import nablab.models.net",
                "nablab.models.net": "def f():\n    import torch",
            },
            False,
        ),
        ({"nablab.models.net": "import torch", "nablab.report.html": "import numpy"}, False),
    ],
)
def test_torch_is_found_where_it_would_be_loaded(files: dict[str, str], caught: bool) -> None:
    imports = [item for module, text in files.items() for item in find_imports(text, module)]
    assert bool(reaching(imports, WITHOUT_TORCH, "torch")) is caught


HEAVY = ("torch", "pydantic", "sklearn", "matplotlib", "numpy", "IPython")


@pytest.mark.parametrize(
    "code",
    [
        "import nablab; dir(nablab); nablab.Recipe; nablab.UserError",
        "from nablab.cli import app; app['compare']; list(app)",
        "from nablab.cli import main; main(['--help'])",
        "from nablab.cli import main; main(['compare', '--help'])",
    ],
)
def test_starting_loads_nothing_heavy(code: str) -> None:
    script = f"import sys\n{code}\nprint(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""
