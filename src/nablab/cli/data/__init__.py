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


def _register(name: str, text: str, *examples: str, function: str = "", module: str = "") -> None:
    app.command(
        f"nablab.cli.data.{module or name}:{function or name}",
        name=name,
        help=text,
        help_epilogue="\n".join(("Examples:", *(f"  {example}" for example in examples))),
        sort_key=len(list(app)),
    )


_register(
    "list",
    "List the known data sets, and what of each is here.",
    "nablab data list",
    function="list_",
)
_register(
    "show",
    "Show what a data set holds: counts, mean images, examples, also augmented.",
    "nablab data show digits",
    "nablab data show ./photos --size 64 --augment flip,shift:2 --picture photos.png",
)
_register(
    "fetch",
    "Download the whole of a data set, checked against its SHA-256.",
    "nablab data fetch fashion-mnist",
)
_register(
    "check",
    "Find what is wrong with a data set: copies, leaks, wrong labels, imbalance, drift.",
    "nablab data check ./photos --size 64 --picture findings.png",
    "nablab data check fashion-mnist --run results",
)
_register(
    "prepare",
    "Decode pictures once into arrays that load at once; interrupted, it goes on.",
    "nablab data prepare ./photos --size 64 --out photos-64",
    "nablab data prepare dogs-vs-cats train.zip --size 64 --color grey",
)
_register(
    "import",
    "Take in files that only you can download, such as Kaggle's.",
    "nablab data import sign-digits X.npy Y.npy",
    "nablab data import cifar10 cifar-10-binary.tar.gz",
    function="import_",
    module="import_",
)
