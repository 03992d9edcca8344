"""The five labs: the exercises of five hand-outs, taught, computed, drawn and checked.

    from nablab import lessons

    lab = lessons.begin("a")                       # in a lab: what it finds is held against what is expected
    lab.figure("A1", "x.grad, everywhere", x.grad.numpy(), expected=4.5)
    lessons.check("a1", answer)                    # in an exercise: right, or what is wrong with it

The labs themselves are notebooks in jupytext's py:percent form, in `labs/`; `solutions/` is kept apart from
them. Nothing here loads NumPy, torch or a notebook library before it is used.
"""

from __future__ import annotations

from nablab.lessons.catalog import LESSONS, Lesson, lesson
from nablab.lessons.exercises.register import Verdict, check
from nablab.lessons.figures import Figure, Lab, begin

__all__ = ["LESSONS", "Figure", "Lab", "Lesson", "Verdict", "begin", "check", "lesson"]
