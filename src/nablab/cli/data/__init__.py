"""nablab data: one file a command, imported when that command is used."""

from __future__ import annotations

from cyclopts import App

app = App(
    name="data",
    help="List, show or fetch images to train on.",
    help_epilogue="Examples:\n  nablab data show digits\n  nablab data fetch fashion-mnist",
)


def _register(name: str, text: str, function: str = "") -> None:
    app.command(f"nablab.cli.data.{name}:{function or name}", name=name, help=text, sort_key=len(list(app)))


_register("list", "List the known data sets, and what of each is here.", "list_")
_register("show", "Show one data set: where it comes from, its size, shape and classes.")
_register("fetch", "Download the whole of a data set, checked against its SHA-256.")
