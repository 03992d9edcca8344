"""Archives from strangers: read in memory or unpacked into one folder, and never anything else."""

from nablab.data.archive.reading import read_members
from nablab.data.archive.unpacking import unpack

__all__ = ["read_members", "unpack"]
