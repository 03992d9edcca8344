"""nablab data: one file a command, imported when that command is used."""

from __future__ import annotations

from cyclopts import App

app = App(
    name="data",
    help="List, show, check, fetch, prepare or import images to train on.",
    help_epilogue=(
        "Examples:\n  nablab data show digits\n  nablab data check ./photos --size 64\n"
        "  nablab data fetch fashion-mnist"
    ),
)


def _register(name: str, text: str, function: str = "", *, module: str = "") -> None:
    target = f"nablab.cli.data.{module or name}:{function or name}"
    app.command(target, name=name, help=text, sort_key=len(list(app)))


_register("list", "List the known data sets, and what of each is here.", "list_")
_register("show", "Show what a data set holds: counts, mean images, examples, also augmented.")
_register("fetch", "Download the whole of a data set, checked against its SHA-256.")
_register("check", "Find what is wrong with a data set: copies, leaks, wrong labels, imbalance, drift.")
_register("prepare", "Decode pictures once into arrays that load at once; interrupted, it goes on.")
_register(
    "import", "Take in files that only you can download, such as Kaggle's.", "import_", module="import_"
)
