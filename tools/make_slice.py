"""Make the slice of Fashion-MNIST that ships with nablab, from the full set.

    python tools/make_slice.py

It is the first tenth of the stratified orders of training and test set under split_seed 0, in those orders.
The same full set gives the same file, byte for byte, under the same zlib; its SHA-256 is printed, and
belongs into tests/data/test_slice.py and into the notice beside the slice.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

from nablab import atomic
from nablab.data.sources import fashion_mnist
from nablab.data.split import order_of_test, order_of_training

TARGET = Path(__file__).parents[1] / "src" / "nablab" / "data" / "embedded" / f"{fashion_mnist.NAME}.npz"
SHARE = 10


def main() -> int:
    full = fashion_mnist.load_full()
    if full is None:
        print(f"the full set is not here; `nablab data fetch {fashion_mnist.NAME}` gets it", file=sys.stderr)
        return 1
    train = order_of_training(full, 0)[: full.train_total // SHARE]
    test = order_of_test(full, 0)[: full.test_total // SHARE]
    arrays = {
        "x_train": full.x_train[train, 0],
        "y_train": full.y_train[train].astype(np.uint8),
        "train_ids": train.astype(np.uint16),
        "x_test": full.x_test[test, 0],
        "y_test": full.y_test[test].astype(np.uint8),
        "test_ids": test.astype(np.uint16),
    }
    atomic.write_with(TARGET, lambda path: np.savez_compressed(path, **arrays))
    print(
        f"{hashlib.sha256(TARGET.read_bytes()).hexdigest()}  {TARGET.name}  {TARGET.stat().st_size:,} bytes"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
