"""How the hand-outs train, written as a student writes it: `python benchmarks/handout.py lenet --epochs 8`.

Adam at 1e-3, batches of 64, float32, eager PyTorch; a DataLoader with shuffle, each image made a PIL image
and then a tensor, as torchvision's FashionMNIST and ToTensor do; the test set measured after each epoch. What
the benchmarks hold nablab against. Prints each epoch's seconds and test accuracy on full Fashion-MNIST.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import nablab.data


@dataclass(frozen=True)
class Epoch:
    """What one epoch took and reached."""

    seconds: float  #: of training alone
    accuracy: float  #: on the test set, after it


class Pictures(Dataset):  # type: ignore[type-arg]
    """As torchvision's FashionMNIST: an image becomes a PIL image, which `transform` makes a tensor."""

    def __init__(self, x: np.ndarray, y: np.ndarray, transform: Callable[[Image.Image], Tensor]) -> None:
        self.images, self.labels, self.transform = torch.from_numpy(x[:, 0]), torch.from_numpy(y), transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.images[index].numpy())), int(self.labels[index])


def to_tensor(picture: Image.Image) -> Tensor:
    """As torchvision's ToTensor for a grey PIL image, without its checks of types."""
    image = torch.from_numpy(np.array(picture, np.uint8, copy=True))
    image = image.view(picture.size[1], picture.size[0], 1)
    return image.permute((2, 0, 1)).contiguous().to(torch.float32).div(255)


def lenet() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10)),
    )


def net_linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def lenet5() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def fashion_cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(2304, 600), nn.Dropout(0.25), nn.Linear(600, 120), nn.Linear(120, 10)),
    )


NETWORKS = {"net_linear": net_linear, "lenet": lenet, "lenet5": lenet5, "fashion_cnn": fashion_cnn}


Images = tuple[np.ndarray, np.ndarray]  # (N, 1, H, W) and their labels (N,)


def by_hand(name: str, train: Images, test: Images, epochs: int, seed: int) -> Iterator[Epoch]:
    """The loop of the hand-outs; what each epoch comes to."""
    torch.manual_seed(seed)
    train_set, test_set = (Pictures(x, y, to_tensor) for x, y in (train, test))
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=64)
    model = NETWORKS[name]()
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        start = perf_counter()
        model.train()
        running_loss = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        training = perf_counter() - start
        yield Epoch(training, tested(model, test_loader, loss_of))


def tested(model: nn.Module, loader: DataLoader, loss_of: nn.Module) -> float:  # type: ignore[type-arg]
    """Test accuracy, by the loop that goes with it."""
    model.eval()
    correct, loss = 0, 0.0
    with torch.no_grad():
        for x, y in loader:
            scores = model(x)
            loss += loss_of(scores, y).item()
            correct += int((scores.argmax(1) == y).sum().item())
    return correct / len(loader.dataset)  # type: ignore[arg-type]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("network", choices=list(NETWORKS))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = nablab.data.load("fashion-mnist")
    train, test = (data.x_train, data.y_train), (data.x_test, data.y_test)
    epochs = by_hand(options.network, train, test, options.epochs, options.seed)
    for number, epoch in enumerate(epochs, start=1):
        print(f"epoch {number}: {epoch.seconds:.1f} s, test accuracy {epoch.accuracy:.4f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
