"""The pictures of a report, as small uint8 arrays, each once for all models."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nablab.analysis.results import Results, RunData
from nablab.report.view_types import DecidedView, NeighbourView, Picture


def pictures(results: Results) -> dict[int, Picture]:
    """The test images that any run kept, by position in the full test set; none for features."""
    found: dict[int, NDArray[Any]] = {}
    for run in results.runs:
        if run.done and run.examples is not None and run.examples.images.ndim == 4:
            found |= dict(zip(run.examples.indices.tolist(), run.examples.images, strict=True))
    if not found:
        return {}
    low, high = results.runs[0].record.data.value_range
    return {index: picture(image, low, high) for index, image in sorted(found.items())}


def decided(run: RunData) -> tuple[DecidedView, ...]:
    """The test images whose neighbours a run kept, with those, as pictures; none for other methods.

    Raises:
        UserError: the file is damaged.
    """
    kept = run.deciding
    if kept is None:
        return ()
    low, high = run.record.data.value_range
    return tuple(
        DecidedView(
            index=int(kept.tests[row]),
            truth=int(kept.truths[row]),
            prediction=int(kept.said[row]),
            picture=picture(kept.pictures[row], low, high),
            neighbours=tuple(
                NeighbourView(
                    int(kept.neighbours[row, place]),
                    int(kept.labels[row, place]),
                    float(kept.distances[row, place]),
                    picture(kept.stored[row, place], low, high),
                )
                for place in range(kept.neighbours.shape[1])
            ),
        )
        for row in range(len(kept.tests))
    )


def picture(image: NDArray[Any], low: float, high: float) -> Picture:
    """An image (C, H, W) as grey (H, W) or RGB (H, W, 3), one to three channels as they are.

    Values are mapped from [low, high] to 0..255. Channels that are not three become the grey of their mean.
    """
    if image.dtype != np.uint8 or (low, high) != (0, 255):
        span = high - low or 1.0
        image = np.rint(np.clip((image.astype(np.float64) - low) / span, 0, 1) * 255).astype(np.uint8)
    if image.shape[0] == 3:
        return np.ascontiguousarray(image.transpose(1, 2, 0))
    return np.asarray(np.rint(image.mean(axis=0)), dtype=np.uint8)
