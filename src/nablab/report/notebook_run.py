"""Running a notebook in a fresh kernel of its own process, and cleaning what it says of this machine."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Any

from nablab.errors import NablabError

#: What the kernel calls the code of a cell: another name in every process.
_CELL_FILE = re.compile(r"<temporary>/ipykernel_\d+/\d+\.py")


def execute(
    notebook: Any,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    go_on_after: tuple[str, ...] = (),
    deadline: float | None = None,
    on_cell: Callable[[int], None] | None = None,
    on_words: Callable[[str], None] | None = None,
) -> None:
    """Run every cell of an `nbformat` notebook in place, with `folder` as working directory.

    The kernel is this Python. It reads none of the user's start-up files, and ends with the call.

    Args:
        notebook: what is run; outputs are put into it, also when a cell fails.
        folder: the working directory.
        environment: environment variables, beside those of this process.
        go_on_after: names of errors that end their cell, but not the notebook.
        deadline: when it must be done, in seconds of `time.monotonic`.
        on_cell: is told the position of each cell that is about to run, from 0.
        on_words: is told what a cell shows of its progress, in an output that it changes in place.

    Raises:
        NablabError: a cell failed, or the time was up; says which, and with what.
        KeyboardInterrupt: Ctrl-C, or the process is to end.
    """
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    class Client(NotebookClient):
        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            if on_words is not None and msg["msg_type"] == "update_display_data":
                on_words(msg["content"]["data"].get("text/plain", ""))
            return super().process_message(msg, cell, cell_index)

    with tempfile.TemporaryDirectory(prefix="nablab-kernel-") as private:
        # Sockets in a folder of our own: nobody else on the machine can listen in, as they could on a port.
        transport = "tcp" if sys.platform == "win32" else "ipc"
        connection = str(Path(private) / "kernel.json")
        manager = AsyncKernelManager(transport=transport, connection_file=connection)
        kernel = manager.kernel_spec
        assert kernel is not None  # `python3` is always there: it is this Python
        kernel.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        client = Client(
            notebook,
            km=manager,
            timeout=None,
            timeout_func=None if deadline is None else lambda cell: max(1, ceil(deadline - monotonic())),
            allow_error_names=list(go_on_after),
            coalesce_streams=True,
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
            extra_arguments=[f"--IPythonApp.ipython_dir={private}"],
            on_cell_start=None if on_cell is None else lambda cell, cell_index: on_cell(cell_index),
        )
        try:
            # The kernel ends here, whatever happened.
            client.execute(cleanup_kc=True, env=os.environ | (environment or {}))
        except (AssertionError, DeadKernelError) as error:
            if getattr(client, "_async_cleanup_kernel_future", None) is not None:  # nbclient heard a signal
                raise KeyboardInterrupt from None
            if isinstance(error, DeadKernelError):
                raise NablabError("the notebook's kernel died; is there enough memory?") from error
            raise
        except CellExecutionError as error:
            raise NablabError(
                f"the notebook's cell {failed_cells(notebook)[-1]} failed: {error.ename}: {error.evalue}"
            ) from error
        except CellTimeoutError as error:
            raise NablabError("the notebook was not done in its time; its last cell was stopped") from error


def failed_cells(notebook: Any) -> list[int]:
    """The numbers of the cells that hold an error: the first cell of code is 1."""
    return [
        position
        for position, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1)
        if any(output.output_type == "error" for output in cell.outputs)
    ]


def kernel_metadata() -> dict[str, Any]:
    """The metadata of a notebook in Python, the same on every machine."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"kernelspec": kernel, "language_info": {"name": "python"}}


def notebook_text(notebook: Any) -> str:
    """A notebook as the text of its file; raises nbformat's `ValidationError` for what is none."""
    nbformat: Any = import_module("nbformat")
    nbformat.validate(notebook)
    return f"{nbformat.writes(notebook)}\n"


def machine_paths(folder: Path) -> dict[str, str]:
    """What only this machine knows, and what to write in its place; the longest first."""
    found = {
        str(folder): ".",
        str(folder.resolve()): ".",
        str(Path.cwd()): ".",
        sys.prefix: "<python>",
        sys.base_prefix: "<python>",
        tempfile.gettempdir(): "<temporary>",
        str(Path(__file__).parents[1]): "<nablab>",
        str(Path.home()): "~",
    }
    return {path: found[path] for path in sorted(found, key=len, reverse=True) if len(Path(path).parts) > 1}


def scrub(notebook: Any, names: Mapping[str, str]) -> None:
    """Replace machine paths in every text that the cells put out; pictures are left as they are."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "text" in output:
                output["text"] = _replaced(output["text"], names)
            if "traceback" in output:
                output["traceback"] = [_replaced(line, names) for line in output["traceback"]]
            for kind, value in output.get("data", {}).items():
                if isinstance(value, str) and not kind.startswith("image/png"):
                    output["data"][kind] = _replaced(value, names)


def _replaced(text: str, names: Mapping[str, str]) -> str:
    for path, name in names.items():
        text = text.replace(path, name)
    return _CELL_FILE.sub("<cell>", text)
