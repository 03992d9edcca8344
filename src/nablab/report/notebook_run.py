"""Running a notebook in a fresh kernel of its own process, and cleaning what it says of this machine."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nablab.errors import NablabError


def execute(notebook: Any, folder: Path) -> None:
    """Run every cell of an `nbformat` notebook in place, with `folder` as working directory.

    The kernel is this Python. It reads none of the user's start-up files, and ends with the call.

    Raises:
        NablabError: a cell failed; says which, and with what.
    """
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    with tempfile.TemporaryDirectory(prefix="nablab-kernel-") as private:
        # Sockets in a folder of our own: nobody else on the machine can listen in, as they could on a port.
        transport = "tcp" if sys.platform == "win32" else "ipc"
        connection = str(Path(private) / "kernel.json")
        manager = AsyncKernelManager(transport=transport, connection_file=connection)
        kernel = manager.kernel_spec
        assert kernel is not None  # `python3` is always there: it is this Python
        kernel.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=None,
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
            extra_arguments=[f"--IPythonApp.ipython_dir={private}"],
        )
        try:
            client.execute(cleanup_kc=True)  # the kernel ends here, whatever happened
        except CellExecutionError as error:
            raise NablabError(
                f"the notebook's cell {_failed(notebook)} failed: {error.ename}: {error.evalue}"
            ) from error
        except DeadKernelError as error:
            raise NablabError("the notebook's kernel died; is there enough memory?") from error


def _failed(notebook: Any) -> int:
    """The number of the cell that holds an error."""
    return next(
        position
        for position, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1)
        if any(output.output_type == "error" for output in cell.outputs)
    )


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
            for kind, value in output.get("data", {}).items():
                if isinstance(value, str) and not kind.startswith("image/png"):
                    output["data"][kind] = _replaced(value, names)


def _replaced(text: str, names: Mapping[str, str]) -> str:
    for path, name in names.items():
        text = text.replace(path, name)
    return text
