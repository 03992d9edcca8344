"""A small lab in place of those that ship: it covers every row of lab c, in no time."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

HEAD = """
# %% [markdown]
# # A small lab
#
# With $x^2 < \\log x$.

# %%
from nablab import lessons

lab = lessons.begin("c")

# %% [markdown]
# ## The step · C1

# %% tags=["exercise"]
lab.figure("C1", "steps", 1, expected=1)
"""
REST = """
# %%
for row in ("C2", "C3", "C4", "C5", "C6"):
    lab.shown(row, f"what {row} is about")
"""


@pytest.fixture
def small_lab(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a small lab in the place of lab c: a head, more cells, and a rest that shows all other rows."""

    def put(more: str = "", rest: str = REST) -> None:
        text = (HEAD + dedent(more) + rest).lstrip()
        monkeypatch.setattr("nablab.lessons.notebook.source", lambda letter: text)

    return put
