"""Data sets: where they come from, how they are split, preprocessed and augmented."""

from nablab.data.dataset import Dataset
from nablab.data.loading import load

__all__ = ["Dataset", "load"]
