"""Programs as courses write them, run with PyTorch and, with their imports switched, on our engine.

Both begin with the same weights; what they `record` has to agree.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

CLASSIFIER = """
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.dropout = nn.Dropout2d(0.0)
        self.fc1 = nn.Linear(16 * 4 * 4, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x), inplace=True), (2, 2))
        x = F.max_pool2d(F.relu(self.dropout(self.conv2(x))), 2)
        x = x.view(-1, self.num_flat_features(x))
        x = F.dropout(F.relu(self.fc1(x)), p=0.0, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)

    def num_flat_features(self, x):
        n = 1
        for s in x.size()[1:]:
            n *= s
        return n


def train(model, device, loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        record(epoch, batch_idx * len(data), len(loader.dataset), loss.item())


def test(model, device, loader):
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for data, target in loader:
            output = model(data.to(device))
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
            _, predicted = torch.max(output.data, 1)
            record((predicted == target).sum().item(), target.size(0))
    record(test_loss / len(loader.dataset), correct)


device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
data = TensorDataset(torch.from_numpy(images), torch.from_numpy(labels))
loader = DataLoader(data, batch_size=8, shuffle=False)
model = start(Net()).to(device)
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
for epoch in range(1, 4):
    train(model, device, loader, optimizer, epoch)
    test(model, device, loader)
    scheduler.step()
    record(scheduler.get_last_lr()[0])
record(sum(p.numel() for p in model.parameters() if p.requires_grad))
"""

RESIDUAL = """
import copy
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_


class Block(nn.Module):
    def __init__(self, c_in, c, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(c)
        self.conv2 = nn.Conv2d(c, c, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(c)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if stride != 1 or c_in != c:
            self.shortcut = nn.Sequential(nn.Conv2d(c_in, c, 1, stride=stride, bias=False), nn.BatchNorm2d(c))

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.blocks = nn.ModuleList([Block(4, 4), Block(4, 8, stride=2)])
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.heads = nn.ModuleDict({"class": nn.Linear(8, 10)})
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.heads["class"](torch.flatten(self.pool(x), 1))


x, y = torch.from_numpy(images), torch.from_numpy(labels)
net = start(ResNet())
decay = [p for n, p in net.named_parameters() if p.dim() > 1]
others = [p for n, p in net.named_parameters() if p.dim() <= 1]
optimizer = torch.optim.AdamW([{"params": decay}, {"params": others, "weight_decay": 0.0}], lr=0.01)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, epochs=6, steps_per_epoch=1)
criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
best_loss, best = float("inf"), None
for epoch in range(6):
    net.train()
    optimizer.zero_grad()
    loss = criterion(net(x), y)
    loss.backward()
    norm = clip_grad_norm_(net.parameters(), max_norm=1.0)
    optimizer.step()
    scheduler.step()
    record(loss.item(), norm.item(), optimizer.param_groups[0]["lr"])
    if loss.item() < best_loss:
        best_loss, best = loss.item(), copy.deepcopy(net.state_dict())

seen = {}
for name, block in net.blocks.named_children():
    block.register_forward_hook(lambda module, args, output, name=name: seen.update({name: output}))
net.load_state_dict(best)
net.eval()
for p in net.stem.parameters():
    p.requires_grad = False
record(net(x), *seen.values(), *net.state_dict().values())
"""

AUTOENCODER = """
import torch
import torch.nn as nn
from torch.optim import Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True))
        self.decode = nn.Sequential(
            nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1), nn.ReLU(True), nn.Conv2d(4, 1, 3, padding=1)
        )
        self.code = nn.Linear(4 * 14 * 14, 5)
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, x):
        h = self.encode(x)
        z = self.code(h.flatten(1))
        back = nn.functional.linear(z, self.code.weight.t())
        return self.decode(back.view(h.shape)) * self.scale + self.mean, z


x = torch.from_numpy(images)
net = start(Tied())
net.mean = x.mean().reshape(1)
optimizer = Adam(net.parameters(), lr=3e-3)
scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=0.5)


def closure():
    optimizer.zero_grad()
    out, z = net(x)
    loss = nn.MSELoss()(out, x) + 1e-3 * z.pow(2).sum(1).mean()
    loss = loss + 1e-4 * sum(p.abs().sum() for p in net.parameters())
    loss.backward()
    return loss


for epoch in range(5):
    loss = optimizer.step(closure)
    scheduler.step(loss.item())
    record(loss.item(), optimizer.param_groups[0]["lr"])
record(*net.parameters(), *net.state_dict())
"""

PROGRAMS = {"classifier": CLASSIFIER, "residual": RESIDUAL, "autoencoder": AUTOENCODER}


def switched(program: str) -> str:
    """With our engine imported for PyTorch, and nothing else changed."""
    program = re.sub(r"^import torch$", "from nablab import autograd as torch", program, flags=re.M)
    return re.sub(r"^(import|from) torch\b", r"\1 nablab.autograd", program, flags=re.M)


def recorded(program: str, from_numpy: Any, no_grad: Any) -> list[Any]:
    found: list[Any] = []
    rng = np.random.default_rng(1)

    def start(net: Any) -> Any:
        net.double()
        with no_grad():
            for p in net.parameters():
                p.copy_(from_numpy(rng.normal(size=tuple(p.shape)) * 0.2))
        return net

    names = {
        "record": lambda *values: found.extend(values),
        "start": start,
        "images": np.random.default_rng(0).normal(size=(20, 1, 28, 28)),
        "labels": np.random.default_rng(2).integers(0, 10, 20),
    }
    exec(compile(program, "program", "exec"), names)
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_with_the_import_switched(name: str) -> None:
    import torch

    from nablab import autograd

    theirs = recorded(PROGRAMS[name], torch.from_numpy, torch.no_grad)
    ours = recorded(switched(PROGRAMS[name]), autograd.from_numpy, autograd.no_grad)
    assert len(ours) == len(theirs) > 10
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, str):
            assert a == b
        else:
            a, b = (v.detach().numpy() if hasattr(v, "detach") else v for v in (a, b))
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)
