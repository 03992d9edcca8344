# %% [markdown]
# # Lab b: from one neuron to a convolutional network, by hand and in PyTorch
#
# This lab begins with a sum of 64 products and ends with a picture of how a convolutional network sees a
# boot. On the way, every gradient is derived, written in NumPy, held against finite differences, and only
# then left to PyTorch.
#
# At the end you will be able to
#
# * derive and write back-propagation for a network of any depth, and *prove* that it is right,
# * recognise, from a curve or a check, the mistakes that everybody makes once: a wrong derivative, a mean
#   over too much, outputs that are no classes, a scaler that has seen the test images,
# * write the same training seven times, from bare tensors to a convolutional network, and know what each
#   rung replaces,
# * say what a convolution, its padding and stride, channels, pooling and a receptive field are, with a
#   picture of each.
#
# It follows the hand-out *Introduction to neural networks and PyTorch* (UC3M), row by row, `B1` to `B12`.
# Reading and doing the exercises takes an afternoon or two; running it takes less than a minute.

# %%
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the networks here are small: more threads would only wait

import inspect
import math
import tempfile
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from IPython.display import SVG, Image, display
from matplotlib.figure import Figure
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

import nablab
from nablab import autograd, byhand, lessons
from nablab.report.plots_theme import LIGHT as COLORS

lab = lessons.begin("b")
torch.set_num_threads(1)
workshop = Path(tempfile.mkdtemp(prefix="lab-b-"))  # for the few files that are written on the way

# %% tags=["hide-input"]
# How this lab draws: nothing here is about networks.
DASHES = ("-", "--", ":", "-.")


def panels(count, width=7.4, height=2.7, **options):
    """A figure with so many axes in a row."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.subplots(1, count, squeeze=False, **options)[0]
    for axis in axes:
        plain(axis)
    return figure, axes


def plain(axis):
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
    axis.title.set_size(10)


def labels(axis, title="", x="", y=""):
    axis.set_title(title, fontsize=10)
    axis.set_xlabel(x, fontsize=9)
    axis.set_ylabel(y, fontsize=9)


def legend(axis, **options):
    axis.legend(frameon=False, fontsize=8, **options)


def picture(axis, image, title="", low=None, high=None, colors="gray"):
    axis.imshow(image, cmap=colors, vmin=low, vmax=high, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    axis.set_title(title, fontsize=8)


def signed(axis, image, title="", most=None):
    """A picture whose zero is white: blue below, red above."""
    image = np.asarray(image)
    most = most or max(float(np.abs(image).max()), 1e-12)
    picture(axis, image, title, -most, most, "RdBu_r")


def show(figure, alt, dpi=80, kind="png"):
    buffer = BytesIO()
    smaller = {"optimize": True} if kind == "png" else {"quality": 80}
    figure.savefig(buffer, format=kind, dpi=dpi, facecolor="white", pil_kwargs=smaller)
    display(Image(buffer.getvalue(), alt=alt))


# %% [markdown]
# ## Two data sets, and columns in the wrong order · B1
#
# The hand-out works with two sets of grey pictures of 64x64 pixels: **sign-language digits** (2,062 hands,
# 10 classes) and **dogs and cats** (25,000 photographs, 2 classes). Both come from Kaggle, which wants you
# to log in, so no program can fetch them for you. If you did, and ran
#
# ```sh
# nablab data import sign-digits X.npy Y.npy
# nablab data prepare dogs-vs-cats train.zip --size 64 --color grey
# ```
#
# this lab uses them. Otherwise it stands in for them, and says so at every figure: scikit-learn's
# handwritten **8x8 digits** for the ten signs, its **zeros and ones** for the two-class problem, and
# **pullovers against coats** of Fashion-MNIST, which are about as alike as cats and dogs at that size,
# where 28 pixels are needed. Ranges of accuracies are asserted on the digits, where they were measured; of
# the signs the lab shows what it finds, and with their 4,096 pixels it takes some minutes.


# %%
def the_set_or(name, stand_in):
    """The data set of that name if it was imported, else what stands in for it."""
    try:
        return nablab.load(name)
    except nablab.UserError:
        print(f"{name} was not imported: {stand_in} stands in for it")
        return nablab.load(stand_in)


ten = the_set_or("sign-digits", "digits")
fashion = nablab.load("fashion-mnist")
pets = the_set_or("dogs-vs-cats", "fashion-mnist")
kinds = (0, 1) if pets.name == "dogs-vs-cats" else (2, 4)
pair = " against ".join(pets.classes[kind] for kind in kinds)
print(ten.source, ten.input_shape, len(ten.x_train) + len(ten.x_test), "images")


def within(least, greatest):
    """A range that was measured on the 8x8 digits. Of other data the lab only asks for a number."""
    return (least, greatest) if ten.name == "digits" else (-math.inf, math.inf)


# %% tags=["hide-input"]
figure = Figure(figsize=(7.4, 1.9), layout="constrained", facecolor="white")
axes = figure.subplots(2, 10)
for k in range(10):
    picture(axes[0, k], ten.x_train[ten.y_train == k][0, 0], f"{ten.classes[k]}", colors="gray_r")
for k, row in enumerate(np.flatnonzero(np.isin(pets.y_train, kinds))[:10]):
    picture(axes[1, k], pets.x_train[row][0], pets.classes[pets.y_train[row]], colors="gray_r")
show(figure, "One image of each of the ten classes, and below pullovers and coats")

# %% [markdown]
# ### A label is a column, but which?
#
# `Y.npy` of the sign-language digits is *one-hot*: ten columns, a one in the column of the class. It is
# tempting to read the class off with `Y.argmax(axis=1)` and call it the digit. But the columns are not in
# digit order: column 0 is the sign for 9, then come 0, 7, 6, 1, 8, 4, 3, 2 and 5. A network trains just as
# well on wrongly named classes, its accuracy is the same, and nothing complains; only, whoever asks it for
# a *nine* is told *zero*, and whoever takes columns 0 and 1 for "the signs zero and one" trains on nine and
# zero. Looking at pictures under their labels is the only way to find out.

# %%
columns = np.array([9, 0, 7, 6, 1, 8, 4, 3, 2, 5])  # the digit of each column, found by looking

Y = np.eye(10)[[0, 1, 4]]  # three rows as they would stand in Y.npy
print("argmax says  ", Y.argmax(axis=1))
print("the signs are", columns[Y.argmax(axis=1)])

where = np.argsort(columns)  # the column of each digit
lab.figure("B1", "columns of the signs for zero and one", where[:2], expected=[1, 4])
Y_in_order = Y[:, where]  # its column k is now the sign for k
lab.figure(
    "B1", "argmax of the reordered columns is the digit", Y_in_order.argmax(1), expected=columns[Y.argmax(1)]
)

# %% [markdown]
# ### From a folder of photographs to an array
#
# Dogs and cats come as a folder of colour photographs of all sizes, `cat.0.jpg`, `dog.0.jpg` and so on. To
# feed them to a network:
#
# 1. the **class** is read from the name of the file,
# 2. **grey** is a weighted sum of the colours, $0.299\,R + 0.587\,G + 0.114\,B$: the eye is keenest on
#    green,
# 3. every photograph is brought to **one size**, 64x64, by cubic interpolation: each new pixel is a
#    weighted sum of old ones, with weights that are pieces of cubic polynomials and, when shrinking, reach
#    over all the old pixels that it covers.
#
# Here it is with two photographs that come with scikit-learn, a temple and a flower, in place of a cat and
# a dog: first as `nablab` does it for a folder, then by hand.

# %%
from matplotlib.image import imsave
from sklearn.datasets import load_sample_images

temple, flower = load_sample_images().images  # (427, 640, 3), uint8
for number, left in enumerate((0, 60, 120)):
    imsave(workshop / f"temple.{number}.png", np.ascontiguousarray(temple[:, left : left + 500]))
    imsave(workshop / f"flower.{number}.png", np.ascontiguousarray(flower[:, left : left + 500]))

rows = [f"{path.name},{path.name.split('.')[0]}" for path in sorted(workshop.glob("*.png"))]
(workshop / "photographs.csv").write_text("\n".join(["path,label", *rows]) + "\n")
photographs = nablab.load(workshop / "photographs.csv", size=64, color="grey", progress=False)
print(photographs.classes, photographs.x_train.shape, photographs.x_train.dtype)


# %%
def prepared_by_hand(rgb):
    """(H, W, 3) bytes to (64, 64) bytes: grey, then cubic."""
    grey = rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    resized = functional.interpolate(
        torch.from_numpy(grey)[None, None], (64, 64), mode="bicubic", antialias=True, align_corners=False
    )
    return resized[0, 0].clamp(0, 255).round().numpy()


mine = prepared_by_hand(flower[:, :500])
theirs = np.concatenate([photographs.x_train, photographs.x_test])[:, 0].astype(float)
nearest = np.abs(theirs - mine).mean(axis=(1, 2)).min()
lab.figure(
    "B1",
    "mean difference of a photograph prepared by hand and by nablab, in grey levels of 255",
    nearest,
    between=(0, 1.5),
    on="a photograph of scikit-learn",
    note="Libraries round grey values and cubic weights differently.",
)

# %% tags=["hide-input"]
figure, axes = panels(3, 6.6, 2.1)
picture(axes[0], flower[:, :500], "flower.0.png, 427x500, RGB")
picture(axes[1], flower[:, :500] @ [0.299, 0.587, 0.114], "grey")
picture(axes[2], mine, "64x64, cubic")
show(figure, "A photograph of a flower in colour, in grey, and at 64 by 64 pixels", kind="jpeg")

# %% [markdown]
# **Exercise b1.** Write `digits_of(Y)`: from one-hot rows as they stand in the file, whole numbers, the
# digit that each row is the sign for. The cell below asks the check about the tempting answer.

# %% tags=["exercise"]
lessons.check("b1", lambda Y: Y.argmax(axis=1))
lessons.check("b1", lambda Y: columns[Y.argmax(axis=1)])

# %% [markdown]
# ## Scaling, and what "joint" means · B2
#
# Pixels are numbers from 0 to 255 (0 to 16 in the 8x8 digits). Gradient descent likes inputs that are small
# and lie around zero, so the hand-out brings them to $[-0.5, 0.5]$. There are two ways:
#
# $$\text{jointly:}\quad x' = \frac{x - a}{b - a} - \frac12, \qquad
#   \text{per pixel:}\quad x'_d = \frac{x_d - a_d}{b_d - a_d} - \frac12$$
#
# Jointly, $a$ and $b$ are *two* numbers, the least and greatest value of any pixel in any training image.
# Per pixel there are *two for each pixel* $d$. The hand-out calls its scaling joint, but the code that it
# gives scales per pixel (as `MinMaxScaler` does, to which each pixel is a feature of its own). The
# difference can be seen:


# %%
def joint_scaler(x):
    low, high = x.min(), x.max()
    return lambda x: (x - low) / (high - low) - 0.5


def pixel_scaler(x):
    low, high = x.min(axis=0), x.max(axis=0)
    width = np.where(high > low, high - low, 1)  # a pixel that never changes stays as it is
    return lambda x: (x - low) / width - 0.5


def pooled(data, keep=None):
    """All images of a data set as rows of numbers, and their labels, before any split."""
    x = np.concatenate([data.x_train, data.x_test]).astype(np.float64)
    y = np.concatenate([data.y_train, data.y_test])
    mine = np.ones(len(y), bool) if keep is None else np.isin(y, keep)
    return x[mine].reshape(mine.sum(), -1), y[mine]


x_ten, y_ten = pooled(ten)
zeros_ones = pooled(ten, keep=(0, 1))
side = ten.input_shape[-1]
jointly = joint_scaler(zeros_ones[0])(zeros_ones[0])
per_pixel = pixel_scaler(zeros_ones[0])(zeros_ones[0])
quiet = np.flatnonzero((np.ptp(jointly, axis=0) > 0) & (np.ptp(jointly, axis=0) < 0.5))
print(
    f"{len(quiet)} pixels use less than half of the range; per pixel, all of them are stretched to all of it"
)

# %% tags=["hide-input"]
figure = Figure(figsize=(7.4, 2.8), layout="constrained", facecolor="white")
axes = figure.subplots(3, 9)
for c in range(8):
    for row, image, name in ((0, jointly[c], "jointly"), (1, per_pixel[c], "per pixel")):
        picture(axes[row, c], image.reshape(side, side), name if c == 0 else "", -0.5, 0.5, "gray_r")
    difference = (per_pixel - jointly)[c].reshape(side, side)
    signed(axes[2, c], difference, "difference" if c == 0 else "", 0.5)
for row, scaled in ((0, jointly), (1, per_pixel)):
    picture(axes[row, 8], np.ptp(scaled, axis=0).reshape(side, side), "range used", 0, 1, "viridis")
axes[2, 8].axis("off")
show(figure, "Zeros and ones scaled jointly and per pixel, what differs, and the range that each pixel uses")

# %% [markdown]
# Scaled jointly, a digit looks as before. Scaled per pixel, pixels that are hardly ever inked are stretched
# as far as those in the middle: rare specks become as loud as strokes. Neither is a crime; per-pixel
# scaling may even help a linear classifier. But it does what it does, and a network that is trained with
# the one must not be tested with the other. Here, the lab scales **jointly**, and says so.
#
# ### Split first, then look
#
# An 80/20 split with `train_test_split(..., test_size=0.2, random_state=42)`, as in the hand-out. And the
# scaler is made of the *training* images, then used on both: a scaler that was fitted before the split has
# seen the test images. (This is one of the hand-out's mistakes, in its PyTorch part.) With a scaler that
# harm is tiny, so tiny that the habit survives. The same habit with a greedier preparation is fatal. Take
# pure noise: 60 samples, 1,000 features, labels by tossing a coin. Choose the 20 features that go best with
# the labels, *then* split, fit and test:

# %%
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression


def accuracy_on_noise(seed, prepared_first):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((60, 1000)), np.arange(60) % 2
    train, test = train_test_split(np.arange(60), test_size=0.2, random_state=42, stratify=y)
    seen = np.arange(60) if prepared_first else train
    chosen = SelectKBest(k=20).fit(x[seen], y[seen]).get_support()
    model = LogisticRegression().fit(x[train][:, chosen], y[train])
    return model.score(x[test][:, chosen], y[test])


before = np.mean([accuracy_on_noise(seed, True) for seed in range(10)])
after = np.mean([accuracy_on_noise(seed, False) for seed in range(10)])
lab.figure("B2", "accuracy on coin tosses, prepared before the split", before, between=(0.75, 1), on="noise")
lab.figure("B2", "accuracy on coin tosses, prepared after the split", after, between=(0.3, 0.65), on="noise")


# %%
def ready(x, y):
    """Split, then scale jointly by what the training images hold: x_train, x_val, y_train, y_val."""
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.2, random_state=42)
    scale = joint_scaler(x_train)
    return scale(x_train), scale(x_val), y_train, y_val


x_train, x_val, y_train, y_val = ready(x_ten, y_ten)
x2_train, x2_val, y2_train, y2_val = ready(*zeros_ones)
two = f"{ten.name}, zero and one"
lab.figure("B2", "least and greatest training pixel", [x_train.min(), x_train.max()], expected=[-0.5, 0.5])
lab.figure("B2", "share held out", len(x_val) / len(x_ten), expected=0.2, tolerance=0.001, on=ten.name)
print(f"ten classes: {len(x_train)} + {len(x_val)} images; zero and one: {len(x2_train)} + {len(x2_val)}")

# %% [markdown]
# **Exercise b2.** Write `scaled(train, test)`, which returns both scaled *jointly* to $[-0.5, 0.5]$, with
# nothing learned from the test images.

# %% tags=["exercise"]
# lessons.check("b2", lambda train, test: ...)

# %% [markdown]
# ## One neuron: logistic regression · B3
#
# One linear layer with a single output: $z = x \cdot w + b$, a weighted sum of all pixels. Large $z$ should
# mean *one*, small $z$ *zero*. The logistic function makes a probability of it, that of class 1:
#
# $$q = \sigma(z) = \frac{1}{1 + e^{-z}}, \qquad \sigma'(z) = \frac{e^{-z}}{(1 + e^{-z})^2} = q\,(1 - q)$$
#
# **The loss.** The network gives the label $y$ (0 or 1) the probability $q^y (1 - q)^{1-y}$. Over $N$
# independent images probabilities multiply; the logarithm makes a sum of the product, the sign a loss of
# the gain, and $1/N$ a mean, so that its size does not hang on how many images there are:
#
# $$L = -\frac1N \sum_n \Big( y_n \log q_n + (1 - y_n) \log (1 - q_n) \Big)$$
#
# **The gradient**, by the chain rule, along $w \to z \to q \to L$. For one image:
#
# $$\frac{\partial L}{\partial q} = -\frac{y}{q} + \frac{1-y}{1-q} = \frac{q - y}{q (1-q)}, \qquad
# \frac{\partial q}{\partial z} = q (1 - q), \qquad \frac{\partial z}{\partial w_d} = x_d .$$
#
# The factor $q(1-q)$, which would make a neuron that is sure of itself deaf, cancels. That is *why* cross
# entropy goes with the logistic function:
#
# $$\frac{\partial L}{\partial z_n} = \frac{q_n - y_n}{N}, \qquad
# \frac{\partial L}{\partial w} = \sum_n \frac{q_n - y_n}{N}\, x_n = X^\top \frac{q - y}{N}, \qquad
# \frac{\partial L}{\partial b} = \sum_n \frac{q_n - y_n}{N} .$$
#
# **Numbers that overflow.** For $z = 40$, $q$ is 1 to all digits that a float has, and $\log(1-q)$ is
# $-\infty$. Put $q$ into the loss and simplify first: $-\log q = \log(1 + e^{-z})$ and
# $-\log(1-q) = \log(1 + e^{z})$, so
#
# $$L = \frac1N \sum_n \Big( \log(1 + e^{z_n}) - y_n z_n \Big),$$
#
# and $\log(e^0 + e^z)$ is what `np.logaddexp(0, z)` computes without overflow.


# %%
def gap(found, right):
    """The largest difference of any element."""
    return np.abs(np.asarray(found) - np.asarray(right)).max()


def logistic(z):
    return np.where(z >= 0, 1, np.exp(-np.abs(z))) / (1 + np.exp(-np.abs(z)))


def neuron_loss(params, x, y):
    z = x @ params["w"] + params["b"]
    return np.mean(np.logaddexp(0, z) - y * z)


def neuron_gradient(params, x, y):
    z = x @ params["w"] + params["b"]
    dz = (logistic(z) - y) / len(x)
    return {"w": x.T @ dz, "b": dz.sum()}


rng = np.random.default_rng(0)
somewhere = {"w": 0.1 * rng.standard_normal(x2_train.shape[1]), "b": np.array(0.3)}
checked = nablab.gradcheck(neuron_loss, neuron_gradient, somewhere, x2_train[:40], y2_train[:40])
lab.figure("B3", "the derived gradient agrees with finite differences", checked.right, expected=True)
checked


# %% [markdown]
# It is right, so descend: 400 epochs at a learning rate of 0.05, all images at once. The same loop will
# train every network of this half of the lab, so it takes the loss, the gradient and the scores as
# arguments, and a rate for each parameter.


# %%
def accuracy(scores, y):
    return np.mean((scores > 0) == y if scores.ndim == 1 else scores.argmax(axis=1) == y)


def descend(loss, gradient, scores, params, lr, epochs, train=None, val=None, every=1):
    """Full-batch gradient descent; returns the parameters and rows of (epoch, losses and accuracies)."""
    train, val = train or (x2_train, y2_train), val or (x2_val, y2_val)
    rates = lr if isinstance(lr, dict) else dict.fromkeys(params, lr)
    history = []
    for epoch in range(epochs + 1):
        if epoch % every == 0:
            measured = [f(params, *part) for f in (loss,) for part in (train, val)]
            measured += [accuracy(scores(params, x), y) for x, y in (train, val)]
            history.append((epoch, *measured))
        if epoch < epochs:
            slope = gradient(params, *train)
            params = {name: value - rates[name] * slope[name] for name, value in params.items()}
    return params, np.array(history).T


def neuron_scores(params, x):
    return x @ params["w"] + params["b"]


start = {"w": np.zeros(x2_train.shape[1]), "b": np.array(0.0)}
neuron, history = descend(neuron_loss, neuron_gradient, neuron_scores, start, lr=0.05, epochs=400)
lab.figure("B3", "loss before the first step: log 2", history[1, 0], expected=math.log(2), tolerance=1e-12)
lab.figure("B3", "validation accuracy, 400 epochs at 0.05", history[4, -1], between=within(0.93, 1), on=two)
reference = byhand.final(
    byhand.descend(byhand.Logistic().gradient, start, x2_train, y2_train, lr=0.05, epochs=400)
)
lab.figure(
    "B3", "weights apart from nablab.byhand", gap(neuron["w"], reference["w"]), expected=0, tolerance=1e-10
)


# %% tags=["hide-input"]
def curves(history, title="", axes=None):
    figure, axes = (None, axes) if axes is not None else panels(2)
    for axis, rows, name in ((axes[0], (1, 2), "loss"), (axes[1], (3, 4), "accuracy")):
        for row, part, color, dash in zip(
            rows, ("training", "validation"), COLORS, ("-", "--"), strict=False
        ):
            axis.plot(history[0], history[row], dash, color=color, label=part)
        labels(axis, title, "epoch", name)
        legend(axis)
    return figure


figure, axes = panels(3, 7.4, 2.5, width_ratios=[1, 1, 0.9])
curves(history, axes=axes[:2])
signed(axes[2], neuron["w"].reshape(side, side), "the weights: red speaks for one")
show(figure, "Loss and accuracy of the neuron over 400 epochs, and its weights as a picture")

# %% [markdown]
# The weights are as many as the pixels, so they can be drawn as an image. The neuron has found what tells
# zero from one: ink in the middle speaks for a one, ink around it for a zero. One neuron is one *template*.
#
# **Exercise b3.** Write `gradient(w, b, x, y)` of the mean cross entropy of one logistic neuron, returning
# the derivatives by `w` and by `b`. Below, an answer that forgets what cancels.


# %% tags=["exercise"]
def forgetful(w, b, x, y):
    q = logistic(x @ w + b)
    dz = (q - y) * q * (1 - q) / len(x)
    return x.T @ dz, dz.sum()


lessons.check("b3", forgetful)

# %% [markdown]
# ## Ten classes: softmax, and ten yes-or-no questions · B4
#
# One linear layer with $K = 10$ outputs, $z = x W + b$, the *scores*. Softmax makes probabilities of them;
# with two classes it is the logistic function of the difference of the scores:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}} .$$
#
# The loss is again minus the logarithm of what the right class is given, averaged over the images. For one
# image of class $y$,
#
# $$-\log p_y = \log \sum_j e^{z_j} - z_y .$$
#
# This form is worth more than the first one. Its derivative needs one line, since
# $\partial/\partial z_k \log \sum_j e^{z_j} = e^{z_k} / \sum_j e^{z_j} = p_k$:
#
# $$\frac{\partial L}{\partial z_{nk}} = \frac{p_{nk} - Y_{nk}}{N}, \qquad
# \frac{\partial L}{\partial W} = X^\top \frac{P - Y}{N},
# \qquad \frac{\partial L}{\partial b} = \sum_n \frac{p_n - Y_n}{N},$$
#
# with $Y$ one-hot: the same as for one neuron. And it can be computed for scores of any size: subtract the
# largest score $m$ first,
#
# $$\log \sum_j e^{z_j} = m + \log \sum_j e^{z_j - m},$$
#
# so that the largest exponential is $e^0 = 1$. Written out as in the hand-out, without it, softmax and
# logarithm overflow:


# %%
def naive_loss(Z, Y):
    P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    return -(Y * np.log(P)).sum(axis=1)


def log_sum_exp(Z):
    m = Z.max(axis=1, keepdims=True)
    return m + np.log(np.exp(Z - m).sum(axis=1, keepdims=True))


sure = np.array([[0.0, 1.0], [0.0, 800.0]])  # two images, the first class is right for both
wanted = np.array([[1.0, 0.0], [1.0, 0.0]])
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    print("as written:", naive_loss(sure, wanted), "-", "; ".join(sorted({str(w.message) for w in said})))
stable = (log_sum_exp(sure) - sure)[:, 0]
print("with m:    ", stable)
lab.figure("B4", "loss of scores 0 and 800, the first being right", stable[1], expected=800, tolerance=1e-9)


# %%
def softmax_loss(params, x, y):
    Z = x @ params["W"] + params["b"]
    return np.mean(log_sum_exp(Z)[:, 0] - Z[np.arange(len(y)), y])


def softmax_gradient(params, x, y):
    Z = x @ params["W"] + params["b"]
    dZ = (np.exp(Z - log_sum_exp(Z)) - np.eye(Z.shape[1])[y]) / len(x)
    return {"W": x.T @ dZ, "b": dZ.sum(axis=0)}


def linear_scores(params, x):
    return x @ params["W"] + params["b"]


digits = {"train": (x_train, y_train), "val": (x_val, y_val)}
start = {"W": np.zeros((x_train.shape[1], 10)), "b": np.zeros(10)}
linear, history = descend(softmax_loss, softmax_gradient, linear_scores, start, 0.1, 300, **digits)
lab.figure(
    "B4",
    "validation accuracy, softmax, 300 epochs at 0.1",
    history[4, -1],
    between=within(0.8, 0.97),
    on=ten.name,
)
lab.figure("B4", "loss of ten equal scores: log 10", history[1, 0], expected=math.log(10), tolerance=1e-9)

# %% tags=["hide-input"]
show(curves(history), "Loss and accuracy of softmax regression over 300 epochs")

# %% [markdown]
# ### The sum in place of the mean
#
# The hand-out *sums* this loss over the images. Nothing is wrong with the mathematics of that, but two
# things follow.
#
# 1. There are four times as many training images as validation images, so the training loss is four times
#    the validation loss at every epoch, before anything is learned. The two curves can't be compared, and
#    comparing them is what they are for.
# 2. The gradient is $N$ times as long. A rate of 0.1 then is one of $0.1 N$, here 144; whoever halves the
#    data, halves the rate.


# %%
def summed_loss(params, x, y):
    return len(x) * softmax_loss(params, x, y)


def summed_gradient(params, x, y):
    return {name: len(x) * slope for name, slope in softmax_gradient(params, x, y).items()}


lab.figure(
    "B4",
    "summed training loss over summed validation loss, before the first step",
    summed_loss(start, x_train, y_train) / summed_loss(start, x_val, y_val),
    expected=len(x_train) / len(x_val),
    tolerance=1e-9,
    on=ten.name,
)
_, as_summed = descend(summed_loss, softmax_gradient, linear_scores, start, 0.1, 300, **digits)
_, too_fast = descend(softmax_loss, summed_gradient, linear_scores, start, 0.1, 300, **digits)

# %% tags=["hide-input"]
figure, axes = panels(3)
for axis, run, title in (
    (axes[0], as_summed, "summed: an empty gap"),
    (axes[1], history, "mean: comparable"),
    (axes[2], too_fast, "summed gradient at 0.1"),
):
    axis.plot(run[0], run[1], "-", color=COLORS[0], label="training")
    axis.plot(run[0], run[2], "--", color=COLORS[1], label="validation")
    labels(axis, title, "epoch", "loss")
    legend(axis)
show(figure, "Training and validation loss: summed, averaged, and descended with a summed gradient")

# %% [markdown]
# `nablab.gradcheck` holds a gradient against central differences of the loss. Give it the mean loss with
# the gradient of the sum:

# %%
some = slice(0, 40)
nablab.gradcheck(softmax_loss, summed_gradient, linear, x_train[some], y_train[some])


# %% [markdown]
# ### Which digits does it confuse?
#
# Accuracy is one number. The **confusion matrix** has one for every pair: row *true class*, column
# *answered class*. And since each class has one template, the weights can again be drawn. Beside softmax
# stands the other way to use yes-or-no neurons for ten classes, **one-versus-rest**: ten logistic neurons,
# the $k$-th trained on "is this a $k$?", the surest wins. Its loss is the *sum of ten* two-class cross
# entropies, and the gradient has the same form with $q_k = \sigma(z_k)$ in place of $p_k$.


# %%
def rest_loss(params, x, y):
    Z = x @ params["W"] + params["b"]
    return np.mean((np.logaddexp(0, Z) - np.eye(10)[y] * Z).sum(axis=1))


def rest_gradient(params, x, y):
    Z = x @ params["W"] + params["b"]
    dZ = (logistic(Z) - np.eye(10)[y]) / len(x)
    return {"W": x.T @ dZ, "b": dZ.sum(axis=0)}


one_versus_rest, rest_history = descend(rest_loss, rest_gradient, linear_scores, start, 0.1, 300, **digits)
yes = (linear_scores(one_versus_rest, x_val) > 0).sum(axis=1)
lab.figure(
    "B4",
    "validation accuracy, ten one-versus-rest neurons",
    rest_history[4, -1],
    between=within(0.8, 0.97),
    on=ten.name,
)
print(
    f"of {len(x_val)} images, {np.mean(yes == 0):.0%} get no yes, {np.mean(yes == 1):.0%} one, "
    f"{np.mean(yes > 1):.0%} several"
)

# %% tags=["hide-input"]
from sklearn.metrics import confusion_matrix

figure = Figure(figsize=(7.4, 3.3), layout="constrained", facecolor="white")
for axis, params, title in zip(
    figure.subplots(1, 2), (linear, one_versus_rest), ("softmax", "one-versus-rest"), strict=True
):
    counts = confusion_matrix(y_val, linear_scores(params, x_val).argmax(axis=1))
    axis.imshow(counts, cmap="Blues", vmax=counts.max())
    for i, j in np.ndindex(counts.shape):
        if counts[i, j]:
            axis.text(j, i, counts[i, j], ha="center", va="center", fontsize=7, color="wk"[int(i != j)])
    axis.set_xticks(range(10))
    axis.set_yticks(range(10))
    axis.tick_params(labelsize=8)
    labels(axis, title, "answered", "true")
show(figure, "Confusion matrices of softmax and of ten one-versus-rest classifiers")
figure = Figure(figsize=(7.4, 1.8), layout="constrained", facecolor="white")
for row, params in zip(figure.subplots(2, 10), (linear, one_versus_rest), strict=True):
    for k, axis in enumerate(row):
        signed(axis, params["W"][:, k].reshape(side, side), ten.classes[k] if params is linear else "")
show(figure, "The ten templates of softmax, and below those of one-versus-rest")

# %% [markdown]
# **Exercise b4.** Write `loss(Z, y)`, the mean cross entropy of scores $Z$ (N, K) with whole-numbered
# labels, that takes scores of any size. **Exercise b4b.** Write `decide(Q)`: from the probabilities of $K$
# one-versus-rest neurons, the class of each image, and how many of the neurons said yes.


# %% tags=["exercise"]
def summed(Z, y):
    return np.sum(log_sum_exp(Z)[:, 0] - Z[np.arange(len(y)), y])


lessons.check("b4", summed)
# lessons.check("b4b", lambda Q: ...)

# %% [markdown]
# ## Two layers, and a famous mistake · B5
#
# A template per class is all that one layer has. A **hidden layer** lets the network make its own features
# first. The hand-out's network has five hidden units with a function that looks like a hyperbolic tangent,
# then a logistic neuron:
#
# $$o = x W_1 + b_1, \qquad h = f(o) = 2\,\sigma(o) - 1, \qquad z = h \cdot w_2 + b_2, \qquad q = \sigma(z).$$
#
# **Back.** The output is a neuron whose inputs are $h$, so $\partial L/\partial z_n = (q_n - y_n)/N$, and
# $\partial L/\partial w_2 = h^\top\, \partial L/\partial z$. From there the chain rule goes on, through
# everything that $z$ was made of:
#
# $$\frac{\partial L}{\partial h_{nj}} = \frac{\partial L}{\partial z_n} w_{2j}, \qquad
#   \frac{\partial L}{\partial o_{nj}} = \frac{\partial L}{\partial h_{nj}}\, f'(o_{nj}), \qquad
#   \frac{\partial L}{\partial W_1} = X^\top \frac{\partial L}{\partial o}, \qquad
#   \frac{\partial L}{\partial b_1} = \sum_n \frac{\partial L}{\partial o_n} .$$
#
# All that is left is $f'$. The hand-out writes it as $(1 - h)^2$. Let us program that, as two functions of
# the hand-out's form, train it as the hand-out does, and see.


# %%
def forward(W1, b1, w2, b2, x):
    o = x @ W1 + b1
    h = np.tanh(o / 2)  # 2 / (1 + exp(-o)) - 1, without an overflow where o is far below 0
    q = 1 / (1 + np.exp(-(h @ w2 + b2)))
    return q, h


def backward(y, q, h, x, w2):
    dz = (q - y) / len(x)
    do = np.outer(dz, w2) * (1 - h) ** 2
    return x.T @ do, do.sum(axis=0), h.T @ dz, dz.sum()


def right_backward(y, q, h, x, w2):
    dz = (q - y) / len(x)
    do = np.outer(dz, w2) * (1 - h * h) / 2
    return x.T @ do, do.sum(axis=0), h.T @ dz, dz.sum()


def train_two_layers(backward, hidden_rate, seed=0, rate=0.5, epochs=2000 if lab.quick else 10_000):
    """The loss of every epoch, and the share of hidden values that are stuck below -0.98 at the end."""
    rng = np.random.default_rng(seed)
    W1, b1 = 0.3 * rng.standard_normal((x2_train.shape[1], 5)), np.zeros(5)
    w2, b2 = 0.3 * rng.standard_normal(5), 0.0
    losses = np.zeros(epochs)
    for epoch in range(epochs):
        q, h = forward(W1, b1, w2, b2, x2_train)
        losses[epoch] = np.mean(np.logaddexp(0, h @ w2 + b2) - y2_train * (h @ w2 + b2))
        dW1, db1, dw2, db2 = backward(y2_train, q, h, x2_train, w2)
        W1, b1 = W1 - hidden_rate * dW1, b1 - hidden_rate * db1
        w2, b2 = w2 - rate * dw2, b2 - rate * db2
    return losses, np.mean(h < -0.98)


runs = {
    (name, hidden): [train_two_layers(back, hidden, seed) for seed in range(3)]
    for name, back in (("as written", backward), ("right", right_backward))
    for hidden in (0.05, 0.5)
}

# %% tags=["hide-input"]
figure, axes = panels(2, 7.4, 2.7, sharey=True)
for axis, hidden, title in zip(
    axes, (0.05, 0.5), ("hidden layer ten times slower", "the same rate for both layers"), strict=True
):
    for place, name in enumerate(("as written", "right")):
        for losses, _ in runs[name, hidden]:
            axis.loglog(
                np.arange(1, 1 + len(losses)), losses, color=COLORS[1 - place], lw=1, ls=DASHES[1 - place]
            )
        axis.plot([], [], color=COLORS[1 - place], ls=DASHES[1 - place], label=f"$f'$ {name}")
    labels(axis, title, "epoch", "training loss")
    legend(axis)
show(figure, "Training loss of three seeds with the derivative as written and with the right one")


# %%
def rises(losses):
    return int((np.diff(losses) > 1e-12).sum())


for (name, hidden), seeds in runs.items():
    print(
        f"{name:10} hidden rate {hidden:4}: last loss {np.mean([run[0][-1] for run in seeds]):.4f}, "
        f"epochs in which the loss rose {[rises(run[0]) for run in seeds]}, "
        f"hidden values stuck at -1: {np.mean([run[1] for run in seeds]):.0%}"
    )
wrong_rises = sum(rises(run[0]) for run in runs["as written", 0.5])
right_rises = sum(rises(run[0]) for run in runs["right", 0.5])
lab.figure("B5", "epochs in which the loss rose, right derivative", right_rises, between=within(0, 0), on=two)
lab.figure(
    "B5", "the same, derivative as written, one rate", wrong_rises, between=within(1, math.inf), on=two
)
lab.figure(
    "B5",
    "how many times larger its last loss is",
    np.mean([run[0][-1] for run in runs["as written", 0.05]])
    / np.mean([run[0][-1] for run in runs["right", 0.05]]),
    between=within(2, math.inf),
    on=two,
)

# %% [markdown]
# It *does* learn, and that is what makes the mistake so durable. But look closely:
#
# * The loss ends ten times higher than it could, or more.
# * With one rate for both layers it *rises* in hundreds of epochs. Gradient descent on all images with a
#   small step can't go uphill: a curve that does says that the step is too large, or that what it follows
#   is not the gradient. The hand-out sees this, calls it numerical trouble, and makes the hidden rate ten
#   times smaller: it treats the symptom.
# * More than half of all hidden values are stuck at -1.
#
# The last point says what happens. Draw the two derivatives over $h$: where a unit is near -1 its curve is
# flat, and the right derivative leaves it alone. As written, the derivative there is 4, the largest of all:
# exactly the units that cannot answer are pushed the hardest.

# %% tags=["hide-input"]
o = np.linspace(-6, 6, 241)
h = 2 * logistic(o) - 1
figure, axes = panels(2, 7.0, 2.5)
axes[0].plot(o, h, color=COLORS[2])
labels(axes[0], "h = 2 logistic(o) - 1", "o", "h")
axes[1].plot(h, (1 - h) ** 2, DASHES[1], color=COLORS[1], label="as written: $(1-h)^2$")
axes[1].plot(h, (1 - h * h) / 2, color=COLORS[0], label="right: $(1-h^2)/2$")
axes[1].plot(
    h[1:-1], (h[2:] - h[:-2]) / (o[2:] - o[:-2]), ".", ms=3, color="k", label="measured", markevery=8
)
labels(axes[1], "its derivative", "h", "dh/do")
legend(axes[1])
show(figure, "The activation, and its derivative as written, right, and measured")

# %% [markdown]
# ### Asking the court
#
# Nobody has to notice that in a curve. A file with the two functions, as they are in the hand-out, is
# enough: `nablab check my_backprop.py` on the command line, or

# %%
source = "import numpy as np\n\n\n" + "\n\n".join(inspect.getsource(f) for f in (forward, backward))
(workshop / "my_backprop.py").write_text(source)
judged = nablab.gradcheck(workshop / "my_backprop.py")
lab.figure(
    "B5",
    "what the check finds wrong",
    ", ".join(f.name for f in judged.report.wrong),
    expected="W1, b1",
)
lab.figure(
    "B5",
    "relative error of the first layer's gradient as written",
    judged["W1"].relative_error,
    between=(0.7, 1.1),
    published="0.8 to 1.0 in two random trials",
)
judged

# %% [markdown]
# It names the layers, the activation and both derivatives. (Each cause is proven before it is told: what is
# said to have been done is done to the measured gradient, and must give yours.) By hand, with the quotient
# rule and $\sigma' = \sigma(1-\sigma)$, $\sigma = (1+h)/2$:
#
# $$\frac{dh}{do} = 2\,\sigma(1-\sigma) = 2 \cdot \frac{1+h}{2} \cdot \frac{1-h}{2} = \frac{1 - h^2}{2} .$$
#
# (And $2\sigma(o) - 1 = \tanh(o/2)$; for $h = \tanh(o)$ itself the derivative is $1 - h^2$.) With the
# square moved to where it belongs:

# %%
corrected = source.replace("(1 - h) ** 2", "(1 - h**2) / 2")
(workshop / "my_backprop.py").write_text(corrected)
judged = nablab.gradcheck(workshop / "my_backprop.py")
lab.figure("B5", "the corrected file is right", judged.right, expected=True)
print(judged.report.summary)

# %% [markdown]
# **Exercise b5.** Write the derivative of $h = 2\sigma(o) - 1$ as a function of $h$. The check is asked
# about the famous one first.

# %% tags=["exercise"]
lessons.check("b5", lambda h: (1 - h) ** 2)

# %% [markdown]
# ### Any number of layers
#
# Nothing in the derivation hung on there being two. With $A_0 = X$, layers $l = 1 \dots D$ and
# $A_l = f(O_l)$,
#
# $$O_l = A_{l-1} W_l + b_l .$$
#
# Write $\Delta_l = \partial L / \partial O_l$, one row an image. The loss gives the last,
# $\Delta_D = (P - Y)/N$. Each $\Delta_l$ gives three things: by the product $A_{l-1} W_l$, the gradient of
# the weights and that of what came in; by the sum, that of the biases:
#
# $$\frac{\partial L}{\partial W_l} = A_{l-1}^\top \Delta_l, \qquad
#   \frac{\partial L}{\partial b_l} = \sum_n \Delta_{l,n}, \qquad
#   \Delta_{l-1} = \big(\Delta_l W_l^\top\big) \circ f'(O_{l-1}) .$$
#
# Why the transposes? $O_{nj} = \sum_i A_{ni} W_{ij}$, so $W_{ij}$ reaches the loss through every image $n$:
# $\partial L/\partial W_{ij} = \sum_n A_{ni} \Delta_{nj}$, which is row $i$ of $A^\top$ times column $j$ of
# $\Delta$; and $A_{ni}$ reaches it through every unit $j$:
# $\partial L / \partial A_{ni} = \sum_j \Delta_{nj} W_{ij}$, row $n$ of $\Delta$ times column $i$ of
# $W^\top$. That is all of back-propagation: a loop.


# %%
def deep_forward(Ws, bs, x):
    """What goes into each layer, and the scores."""
    given = [x]
    for W, b in zip(Ws[:-1], bs[:-1], strict=True):
        given.append(np.tanh(given[-1] @ W + b))
    return given, given[-1] @ Ws[-1] + bs[-1]


def deep_backward(Ws, bs, x, y):
    given, Z = deep_forward(Ws, bs, x)
    delta = (np.exp(Z - log_sum_exp(Z)) - np.eye(Z.shape[1])[y]) / len(x)
    dWs, dbs = [], []
    for W, A in zip(reversed(Ws), reversed(given), strict=True):
        dWs.insert(0, A.T @ delta)
        dbs.insert(0, delta.sum(axis=0))
        delta = (delta @ W.T) * (1 - A * A)  # for the input A = X, this is not used
    return dWs, dbs


def unpacked(params):
    depth = len(params) // 2
    return [params[f"W{i + 1}"] for i in range(depth)], [params[f"b{i + 1}"] for i in range(depth)]


def deep_loss(params, x, y):
    Z = deep_forward(*unpacked(params), x)[1]
    return np.mean(log_sum_exp(Z)[:, 0] - Z[np.arange(len(y)), y])


def deep_gradient(params, x, y):
    dWs, dbs = deep_backward(*unpacked(params), x, y)
    return {name: (dWs if name[0] == "W" else dbs)[int(name[1:]) - 1] for name in params}


def deep_scores(params, x):
    return deep_forward(*unpacked(params), x)[1]


net = byhand.MLP((x_train.shape[1], 30, 20, 10), "tanh")
deep_start = net.initial(np.random.default_rng(0))
batch = x_train[:50], y_train[:50]
checked = nablab.gradcheck(deep_loss, deep_gradient, deep_start, *batch)
lab.figure("B5", "back-propagation through three layers is right", checked.right, expected=True)

# %% [markdown]
# Three more witnesses compute the same gradient: `nablab.byhand` (written out as above), `nablab.autograd`
# (an engine that records the operations and walks back) and PyTorch.


# %%
def by_engine(library, params):
    tensors = {
        name: library.tensor(value, requires_grad=True, dtype=library.float64)
        for name, value in params.items()
    }
    A = library.tensor(batch[0], dtype=library.float64)
    for i in (1, 2):
        A = (A @ tensors[f"W{i}"] + tensors[f"b{i}"]).tanh()
    Z = A @ tensors["W3"] + tensors["b3"]
    chosen = Z * library.tensor(np.eye(10)[batch[1]], dtype=library.float64)
    loss = (Z.exp().sum(1).log() - chosen.sum(1)).mean()
    loss.backward()
    return {name: tensor.grad.numpy() for name, tensor in tensors.items()}


mine = deep_gradient(deep_start, *batch)
for witness, theirs in (
    ("nablab.byhand", net.gradient(deep_start, *batch)),
    ("nablab.autograd", by_engine(autograd, deep_start)),
    ("PyTorch", by_engine(torch, deep_start)),
):
    apart = max(np.abs(mine[name] - theirs[name]).max() for name in mine)
    lab.figure("B5", f"gradient apart from {witness}", apart, expected=0, tolerance=1e-12)

# %%
deep, history = descend(
    deep_loss, deep_gradient, deep_scores, deep_start, 0.5, 400 if lab.quick else 3000, every=5, **digits
)
lab.figure(
    "B5", "validation accuracy, 30-20 tanh by hand", history[4, -1], between=within(0.88, 1), on=ten.name
)

# %% [markdown]
# **Exercise b5b.** Write `backward(Ws, bs, x, y)` for any number of layers, with tanh between them and
# softmax with mean cross entropy at the end, from memory. Then hold it against yours above.

# %% tags=["exercise"]
# lessons.check("b5b", ...)

# %% [markdown]
# ## The same with scikit-learn · B6
#
# `MLPClassifier` is this network, with the loop, minibatches and better optimisers inside. What one
# chooses: the widths, the **activation**, the **solver** (how to descend: `sgd`, `adam`, or `lbfgs`, which
# uses all images at once and is the fastest on small data), the **batch size**, and **early stopping**,
# which holds a tenth of the training images back and stops when accuracy on them no longer rises.

# %%
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

choices = {
    "logistic, adam": {"activation": "logistic"},
    "tanh, adam": {"activation": "tanh"},
    "relu, adam": {"activation": "relu"},
    "relu, sgd": {"solver": "sgd", "learning_rate_init": 0.1},
    "relu, lbfgs": {"solver": "lbfgs"},
    "relu, adam, batches of 16": {"batch_size": 16},
    "relu, adam, batches of 1024": {"batch_size": 1024},
    "relu, adam, early stopping": {"early_stopping": True, "max_iter": 200},
}
fitted = {}
for name, choice in choices.items():
    options = {"learning_rate_init": 0.01, "max_iter": 20, "random_state": 0} | choice
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 20 epochs are all that is wanted
        fitted[name] = MLPClassifier((30, 20), **options).fit(x_train, y_train)
    model = fitted[name]
    print(f"{name:28} {model.n_iter_:4} epochs   validation {model.score(x_val, y_val):.3f}")
accuracies = [model.score(x_val, y_val) for model in fitted.values()]
lab.figure("B6", "validation accuracy of the eight choices", accuracies, between=within(0.8, 1), on=ten.name)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    five = MLPClassifier((5,), activation="tanh", max_iter=60, learning_rate_init=0.01, random_state=0)
    five.fit(x2_train, y2_train)
lab.figure(
    "B6",
    "validation accuracy of zero against one, 5 hidden units",
    five.score(x2_val, y2_val),
    between=within(0.93, 1),
    on=two,
)

# %% [markdown]
# And on the other two-class problem, which is harder, and where 800 images hardly pay for a hidden layer:

# %%
taken = np.flatnonzero(np.isin(pets.y_train, kinds))[:1000]
pictures = np.asarray(pets.x_train[taken], np.float64).reshape(len(taken), -1)
xp_train, xp_val, yp_train, yp_val = ready(pictures, pets.y_train[taken])
reached = {}
for name, widths in (("no hidden layer", ()), ("30 hidden units", (30,))):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPClassifier(widths, max_iter=20, learning_rate_init=3e-3, random_state=0)
        reached[name] = model.fit(xp_train, yp_train).score(xp_val, yp_val)
print(reached)
lab.figure(
    "B6",
    f"validation accuracy of {pair}, without and with a hidden layer",
    list(reached.values()),
    between=(0.7, 0.97) if pets.name == "fashion-mnist" else (0.4, 1),
    on=f"{pets.name}, 1,000 images",
)

# %% [markdown]
# It is the same network: its weights, put into our loop, give its probabilities.

# %%
model = fitted["tanh, adam"]
Z = deep_forward(model.coefs_, model.intercepts_, x_val)[1]
lab.figure(
    "B6",
    "probabilities of its weights in our forward pass, apart from its own",
    gap(np.exp(Z - log_sum_exp(Z)), model.predict_proba(x_val)),
    expected=0,
    tolerance=1e-9,
)

# %% tags=["hide-input"]
figure, axes = panels(2, 7.4, 2.7)
for place, name in enumerate(("logistic, adam", "tanh, adam", "relu, adam", "relu, sgd")):
    axes[0].semilogy(fitted[name].loss_curve_, DASHES[place], color=COLORS[place], label=name)
for place, name in enumerate(("relu, adam, batches of 16", "relu, adam", "relu, adam, batches of 1024")):
    axes[1].semilogy(fitted[name].loss_curve_, DASHES[place], color=COLORS[place], label=name)
labels(axes[0], "activations and solvers", "epoch", "training loss")
labels(axes[1], "batch sizes", "epoch", "training loss")
for axis in axes:
    legend(axis)
show(figure, "Training loss by activation and solver, and by batch size, with scikit-learn")

# %% [markdown]
# Small batches take more steps an epoch, so they fall faster by the epoch, and more slowly by the second.
# **Exercise b6.** How many parameters does `MLPClassifier((30, 20))` have on 64 pixels and 10 classes?

# %% tags=["exercise"]
lessons.check("b6", 64 * 30 + 30 * 20 + 20 * 10)

# %% [markdown]
# ## Activations, and what vanishes · B7
#
# Without a bend between them, two linear layers are one: $(x W_1) W_2 = x (W_1 W_2)$. The activation is
# that bend. What it does to learning is decided by its derivative: back-propagation multiplies by $f'$ once
# a layer.

# %%
shown = ("logistic", "tanh", "relu", "leaky relu", "prelu", "softplus", "half tanh", "elu")
o = np.linspace(-4, 4, 161)
for name in shown:
    f = byhand.ACTIVATIONS[name]
    print(f"{name:10}  h = {f.formula:29}  dh/do = {f.slope_formula:22}  vanishes {f.vanishes}")
smooth = o[np.abs(o) > 0.01]  # away from the kink of the ReLUs
step = 1e-5
worst = max(
    np.abs(
        (f.value(smooth + step) - f.value(smooth - step)) / (2 * step) - f.slope(smooth, f.value(smooth))
    ).max()
    for f in (byhand.ACTIVATIONS[name] for name in shown)
)
lab.figure("B7", "derivatives as written, apart from a small step", worst, expected=0, tolerance=1e-8)
steepest = [byhand.ACTIVATIONS[n].slope(o, byhand.ACTIVATIONS[n].value(o)).max() for n in shown[:3]]
lab.figure("B7", "steepest slope of logistic, tanh, ReLU", steepest, expected=[0.25, 1, 1], tolerance=1e-12)

# %% tags=["hide-input"]
figure = Figure(figsize=(7.4, 3.2), layout="constrained", facecolor="white")
for axis, name in zip(figure.subplots(2, 4, sharex=True, sharey=True).flat, shown, strict=True):
    f = byhand.ACTIVATIONS[name]
    plain(axis)
    axis.axhline(0, color="0.8", lw=0.8)
    axis.plot(o, f.value(o), color=COLORS[0], label="h")
    axis.plot(o, f.slope(o, f.value(o)), "--", color=COLORS[1], label="dh/do")
    axis.set_ylim(-1.2, 2.2)
    labels(axis, name + (" (slope 0.25)" if name == "prelu" else ""))
legend(axis)
show(figure, "Eight activations with their derivatives")

# %% [markdown]
# The **logistic** function's slope is never above 1/4: twenty layers of it multiply the gradient by at most
# $4^{-20} \approx 10^{-12}$. **Tanh** reaches slope 1 at zero, and vanishes where it is flat. The **ReLU**
# has slope 1 wherever it is on and 0 where it is off; a unit that is off for all images gets no gradient
# and stays so. The **leaky** one keeps a small slope there, the **parametric** one learns it
# ($\partial L/\partial a = \sum \frac{\partial L}{\partial h} \min(o, 0)$), **softplus** $\log(1 + e^o)$ is
# a smooth ReLU whose derivative is the logistic function.
#
# Twenty layers of 30 units, one batch of digits, nothing trained: how long is the gradient of each layer's
# weights?

# %%
depth = 20
lengths = {}
for name in ("logistic", "half tanh", "tanh", "relu"):
    tall = byhand.MLP((x_train.shape[1], *[30] * depth, 10), name)
    slopes = tall.gradient(tall.initial(np.random.default_rng(0)), x_train[:200], y_train[:200])
    lengths[name] = np.array([np.linalg.norm(slopes[f"W{i}"]) for i in range(1, depth + 2)])
    print(f"{name:10} first layer / last layer: {lengths[name][0] / lengths[name][-1]:.1e}")
lab.figure(
    "B7",
    "gradient of the first of 21 layers over that of the last, logistic",
    lengths["logistic"][0] / lengths["logistic"][-1],
    between=within(0, 1e-6),
    on=ten.name,
)
lab.figure(
    "B7", "the same, ReLU", lengths["relu"][0] / lengths["relu"][-1], between=within(0.05, 100), on=ten.name
)

# %% tags=["hide-input"]
figure, axes = panels(1, 5.2, 2.6)
for place, (name, length) in enumerate(lengths.items()):
    axes[0].semilogy(range(1, depth + 2), length, DASHES[place % 4], color=COLORS[place], label=name)
labels(axes[0], "", "layer, from the input", "length of the gradient")
legend(axes[0], ncols=2)
show(figure, "Length of the gradient of each layer's weights, by activation")

# %% [markdown]
# (Half a tanh is a special case: it halves what goes forth and the error that comes back, and the gradient
# of a layer is the product of the two, equally small everywhere.) Initial weights of deviation
# $\sqrt{2 / \text{inputs}}$ (He et al. 2015) are made for the ReLU, which halves the variance; with them
# its gradient is about as long in all layers. **Exercise b7.** Write the derivative of softplus, for any
# $o$.

# %% tags=["exercise"]
lessons.check("b7", lambda o: np.exp(o) / (1 + np.exp(o)))

# %% [markdown]
# ## Regression, and its losses on classes · B8
#
# For a target that is a number, the output stays linear and the loss is the mean square,
# $L = \frac1N \sum_n (z_n - y_n)^2$ with $z = Xw + b$. Its gradient is $\frac{2}{N} X^\top (z - y)$; where
# it is zero stand the normal equations, so that this one problem can also be solved without descending.
# Both must agree. The data: how far diabetes progressed in 442 patients.

# %%
from sklearn.datasets import load_diabetes

patients, progress = load_diabetes(return_X_y=True)
patients = (patients - patients.mean(axis=0)) / patients.std(axis=0)
progress = (progress - progress.mean()) / progress.std()
regression = byhand.LinearRegression()
begin = regression.initial(np.random.default_rng(0), patients.shape[1])
curvature = np.linalg.eigvalsh(2 / len(patients) * patients.T @ patients)
rate = 1 / curvature[-1]  # at 2 / curvature it would no longer converge
line = byhand.final(byhand.descend(regression.gradient, begin, patients, progress, lr=rate, epochs=5000))
solved = np.linalg.lstsq(patients, progress, rcond=None)[0]
lab.figure(
    "B8", "descended weights apart from least squares", gap(line["w"], solved), expected=0, tolerance=1e-3,
    on="diabetes, 442 patients",
)  # fmt: skip
print(f"explained variance: {1 - regression.loss(line, patients, progress):.3f}")

# %% [markdown]
# With hidden units, the same loss fits curves; only the output stays linear.

# %%
position = np.linspace(-3, 3, 60)[:, None]
noisy = np.sin(2 * position) + 0.1 * np.random.default_rng(0).standard_normal(position.shape)
curve = byhand.MLP((1, 20, 1), "tanh", "square", deviation=1.0)
*_, bent = byhand.descend(
    curve.gradient, curve.initial(np.random.default_rng(1)), position, noisy, lr=0.04, epochs=4000
)
lab.figure(
    "B8", "mean square error of 20 tanh units on a noisy sine", curve.loss(bent.params, position, noisy),
    between=(0, 0.1), on="60 points, noise of variance 0.01",
)  # fmt: skip

# %% [markdown]
# ### Square and absolute error as losses of a classifier
#
# Nothing forbids $(q - y)^2$ or $|q - y|$ for classes. What changes is the factor that cross entropy
# cancelled (B3). For $y = 1$:
#
# $$\frac{\partial}{\partial z} (-\log q) = q - 1, \qquad
#   \frac{\partial}{\partial z} (q-1)^2 = 2 (q-1)\, q (1-q), \qquad
#   \frac{\partial}{\partial z} |q - 1| = -q (1-q) .$$
#
# A neuron that is wrong and sure of it, $z = -8$, should learn the most. With the second and third it
# learns next to nothing:

# %%
z = np.array(-8.0)
q = logistic(z)
slopes = [q - 1, 2 * (q - 1) * q * (1 - q), -q * (1 - q)]
tensor = torch.tensor(-8.0, dtype=torch.float64)
wanted = []
for loss in (lambda q: -q.log(), lambda q: (q - 1) ** 2, lambda q: (q - 1).abs()):
    leaf = tensor.clone().requires_grad_()
    loss(leaf.sigmoid()).backward()
    wanted.append(leaf.grad.item())
print("dL/dz at z = -8, y = 1:", [f"{slope:.2e}" for slope in slopes])
lab.figure("B8", "the three derivatives at z = -8, apart from PyTorch", gap(slopes, wanted),
           expected=0, tolerance=1e-12)  # fmt: skip

# %% [markdown]
# And ten classes: softmax with each of the three losses, from zero weights, and from a bias of 8 for class
# 0: sure of a wrong answer nine times in ten.

# %%
trained = {}
for bias in (0.0, 8.0):
    for name in ("softmax", "square of softmax", "absolute of softmax"):
        model = byhand.MLP((x_train.shape[1], 10), loss_name=name)
        params = {"W1": np.zeros((x_train.shape[1], 10)), "b1": np.where(np.arange(10) == 0, bias, 0.0)}
        trained[name, bias] = descend(
            model.loss, model.gradient, model.scores, params, 0.5, 150, every=3, **digits
        )[1]
finals = {key: run[4, -1] for key, run in trained.items()}
lab.figure("B8", "validation accuracy from zero, cross entropy", finals["softmax", 0.0],
           between=within(0.85, 1), on=ten.name)  # fmt: skip
lab.figure("B8", "the same from a bias of 8, cross entropy", finals["softmax", 8.0],
           between=within(0.85, 1), on=ten.name)  # fmt: skip
lab.figure("B8", "the same, absolute error: it does not get away", finals["absolute of softmax", 8.0],
           between=within(0, 0.5), on=ten.name)  # fmt: skip
until = [
    run[0, np.argmax(run[4] > 0.5)] for run in (trained["softmax", 8.0], trained["square of softmax", 8.0])
]
lab.figure("B8", "epochs until half are right, square error over cross entropy", until[1] / until[0],
           between=within(3, 1000), on=ten.name,
           note=f"{until[1]:.0f} against {until[0]:.0f} epochs.")  # fmt: skip

# %% tags=["hide-input"]
figure = Figure(figsize=(7.4, 4.6), layout="constrained", facecolor="white")
(fit, slope), (from_zero, from_bias) = figure.subplots(2, 2)
for axis in (fit, slope, from_zero, from_bias):
    plain(axis)
fit.plot(position, noisy, ".", color="0.5", ms=4, label="points")
fit.plot(position, curve.scores(bent.params, position), color=COLORS[2], label="20 tanh units")
labels(fit, "regression", "x", "y")
legend(fit)
zs = np.linspace(-8, 8, 161)
qs = logistic(zs)
for place, (name, values) in enumerate(
    {"cross entropy": qs - 1, "square": 2 * (qs - 1) * qs * (1 - qs), "absolute": -qs * (1 - qs)}.items()
):
    slope.plot(zs, values, DASHES[place], color=COLORS[place], label=name)
    for axis, bias in ((from_zero, 0.0), (from_bias, 8.0)):
        run = trained[("softmax", "square of softmax", "absolute of softmax")[place], bias]
        axis.plot(run[0], run[4], DASHES[place], color=COLORS[place], label=name)
labels(slope, "dL/dz of one neuron, y = 1", "z", "")
labels(from_zero, "softmax, from zero", "epoch", "validation accuracy")
labels(from_bias, "softmax, sure and wrong at first", "epoch", "validation accuracy")
for axis in (slope, from_zero):
    legend(axis)
show(figure, "A regression; the derivatives of three losses; accuracy with each from two starts")

# %% [markdown]
# **Exercise b8.** Write the derivative by $z$ of $(\sigma(z) - y)^2$, for arrays of $z$ and $y$. Below, one
# that stops too early.

# %% tags=["exercise"]
lessons.check("b8", lambda z, y: 2 * (logistic(z) - y))

# %% [markdown]
# ## Tensors · B9
#
# A tensor is an array that can live on another device and can remember how it was made. Going to and from
# NumPy costs nothing where both **share the memory**, which is fast, and a trap:

# %%
array = np.zeros(3)
shared, copied = torch.from_numpy(array), torch.tensor(array)
array[0] = 7
print(shared, copied)
lab.figure("B9", "from_numpy shares memory, tensor() copies", [shared[0], copied[0]], expected=[7, 0])
shared.add_(1)  # a trailing underscore: in place
lab.figure("B9", "and the other way round: the array after add_(1) on the tensor", array, expected=[8, 1, 1])
lab.figure("B9", "numpy() of a tensor shares it too", np.shares_memory(shared.numpy(), array), expected=True)

# %% [markdown]
# **Devices.** `.to(device)` moves a tensor, or returns the same one where it is already there. Only tensors
# on the CPU have a `.numpy()`. **In place** operations write into what others may still need: PyTorch lets
# no one overwrite a leaf that is being differentiated, and finds out when a saved value was changed before
# it was used.

# %%
device = "cuda" if torch.cuda.is_available() else "cpu"
on_device = copied.to(device)
lab.figure("B9", "back on the CPU, the numbers are the same", on_device.cpu().numpy(), expected=[0, 0, 0])


def complaint(act):
    try:
        act()
    except RuntimeError as error:
        return str(error).split(". ")[0].splitlines()[0]
    return "nothing"


leaf = torch.ones(2, requires_grad=True)
print("a leaf, in place:   ", complaint(lambda: leaf.add_(1)))


def overwritten():
    h = leaf.exp()  # its derivative is h itself: it is kept for the way back
    y = h.sum()
    h.mul_(2)
    y.backward()


print("a value still needed:", complaint(overwritten)[:96])
lab.figure("B9", "in place on a leaf is refused", complaint(lambda: leaf.add_(1)) != "nothing", expected=True)

# %% [markdown]
# **A gradient.** For $y = \sum 3 \log x$, $\partial y / \partial x = 3/x$. Run the cell twice and it is
# $6/x$: `backward` *adds* to `grad`. That is on purpose (a large batch may be fed in parts), and a trap in
# notebooks, where cells are run again.

# %%
x = torch.tensor([0.5, 1.0, 4.0], requires_grad=True)
for time in (1, 2):
    (3 * x.log()).sum().backward()
    lab.figure("B9", f"x.grad times x, the cell run {time} times", x.grad * x.detach(), expected=3 * time)

# %% [markdown]
# Four ways to stop that: `x.grad = None` (what `optimizer.zero_grad()` does today), `x.grad.zero_()`,
# `torch.autograd.grad`, which returns gradients and stores none, and `torch.no_grad()` around what should
# not be recorded at all.

# %%
x.grad = None
(3 * x.log()).sum().backward()
first = x.grad.clone()
x.grad.zero_()
(3 * x.log()).sum().backward()
(returned,) = torch.autograd.grad((3 * x.log()).sum(), x)
with torch.no_grad():
    unrecorded = (3 * x.log()).sum()
for way, gradient in (("None", first), ("zero_()", x.grad), ("autograd.grad", returned)):
    lab.figure("B9", f"x.grad times x, with {way}", gradient * x.detach(), expected=3)
lab.figure("B9", "recorded under no_grad", unrecorded.requires_grad, expected=False)

# %% [markdown]
# Three sentences of the hand-out, tried out. *`requires_grad_()` is False by default*: its argument's
# default is True. (What is False by default is the attribute of a new tensor.) *`zero_grad()` sets the
# parameters to zero*: only their gradients; the network would be gone. *`backward()` works on scalars
# only*: a vector can be given the weights of the sum that is differentiated.

# %%
fresh = torch.ones(2)
layer = nn.Linear(2, 1)
weight = layer.weight.detach().clone()
layer(torch.ones(2)).backward()
layer.zero_grad()
vector = torch.tensor([1.0, 2.0], requires_grad=True)
(vector**2).backward(gradient=torch.tensor([1.0, 10.0]))
lab.figure("B9", "requires_grad of a new tensor, and after requires_grad_()",
           [fresh.requires_grad, fresh.requires_grad_().requires_grad], expected=[False, True])  # fmt: skip
lab.figure("B9", "parameters apart after zero_grad()", layer.weight - weight, expected=0)
lab.figure("B9", "backward of a vector, weighed 1 and 10", vector.grad, expected=[2, 40])

# %% [markdown]
# **Exercise b9.** Write `gradient(x)` for a tensor $x$ that requires gradients:
# $\partial/\partial x \sum 3 \log x$, the same however often it is called. Below, one that forgets.


# %% tags=["exercise"]
def gradient(x):
    (3 * x.log()).sum().backward()
    return x.grad


lessons.check("b9", gradient)

# %% [markdown]
# ## The ladder: seven ways to write one training · B10
#
# Each rung replaces one thing that was written by hand. What does *not* change is the training: rungs 1 to
# 4 are the same descent, and must give the same numbers.

# %%
X, T = torch.tensor(x_train, dtype=torch.float32), torch.tensor(y_train)
X_val, T_val = torch.tensor(x_val, dtype=torch.float32), torch.tensor(y_val)
EPOCHS, RATE = 40, 0.5
initial_weights = 0.01 * torch.randn(X.shape[1], 10, generator=torch.Generator().manual_seed(0))


def rung_1():
    """Tensors and autograd; loss, parameters and update by hand."""
    W, b = initial_weights.clone().requires_grad_(), torch.zeros(10, requires_grad=True)
    for _ in range(EPOCHS):
        Z = X @ W + b
        loss = (Z.logsumexp(dim=1) - Z[torch.arange(len(T)), T]).mean()
        yield loss.item()
        loss.backward()
        with torch.no_grad():  # the update itself is not to be differentiated
            for parameter in (W, b):
                parameter -= RATE * parameter.grad
                parameter.grad = None


class Linear(nn.Module):
    """Rung 2: a module holds its parameters, and knows them all."""

    def __init__(self):
        super().__init__()
        self.W, self.b = nn.Parameter(initial_weights.clone()), nn.Parameter(torch.zeros(10))

    def forward(self, x):
        return x @ self.W + self.b


def rung_2():
    net = Linear()
    for _ in range(EPOCHS):
        Z = net(X)
        loss = (Z.logsumexp(dim=1) - Z[torch.arange(len(T)), T]).mean()
        yield loss.item()
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter -= RATE * parameter.grad


def linear_module():
    net = nn.Linear(X.shape[1], 10)
    with torch.no_grad():
        net.weight.copy_(initial_weights.T)  # nn.Linear keeps (outputs, inputs)
        net.bias.zero_()
    return net


def rung_3(criterion=functional.cross_entropy, rate=RATE):
    """nn.Linear and the loss of the library."""
    net = linear_module()
    for _ in range(EPOCHS):
        loss = criterion(net(X), T)
        yield loss.item()
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter -= rate * parameter.grad


def rung_4():
    """The optimiser does the update."""
    net = linear_module()
    sgd = torch.optim.SGD(net.parameters(), lr=RATE)
    for _ in range(EPOCHS):
        loss = functional.cross_entropy(net(X), T)
        yield loss.item()
        sgd.zero_grad()
        loss.backward()
        sgd.step()


losses = {rung.__name__: np.array(list(rung())) for rung in (rung_1, rung_2, rung_3, rung_4)}
for name, found in losses.items():
    print(name, found[[0, 1, 2, -1]].round(6))
for name in ("rung_2", "rung_3", "rung_4"):
    apart = np.abs(losses[name] - losses["rung_1"]).max()
    lab.figure("B10", f"losses of 40 epochs, {name} apart from rung_1", apart, expected=0, tolerance=1e-5)

# %% [markdown]
# ### Ten times too small, and nothing looks broken
#
# The hand-out's third rung writes the negative log likelihood itself, `-(Y * log_softmax(Z)).mean()`, with
# $Y$ one-hot, and only later changes to `CrossEntropyLoss`. From there on learning is faster, which the
# text credits to the better initialisation of `nn.Linear`. Let the ladder say it: `nablab.ladder` trains
# one network in every way that nablab knows, from the same weights on the same batches, and takes a loss of
# yours as one rung more.


# %%
def document_loss(Z, y):
    return -(functional.one_hot(y, 10) * functional.log_softmax(Z, dim=1)).mean()


climbed = nablab.ladder("K", "digits", steps=1, rungs={"as in the hand-out": document_loss}, lr=0.1)
climbed

# %% [markdown]
# `mean()` divides by the images *and* by the classes, nine in ten of whose entries are zeros. It is a
# factor of 10, of loss and gradient alike, and nothing else:

# %%
ratio = functional.cross_entropy(X @ initial_weights, T) / document_loss(X @ initial_weights, T)
lab.figure("B10", "CrossEntropyLoss over the hand-out's loss", ratio, expected=10, tolerance=1e-4)
slow = np.array(list(rung_3(document_loss)))
hidden = np.array(list(rung_3(document_loss, rate=10 * RATE)))
lab.figure("B10", "the hand-out's loss at ten times the rate: 10 x loss apart from rung_3",
           np.abs(10 * hidden - losses["rung_3"]).max(), expected=0, tolerance=1e-4)  # fmt: skip

# %% tags=["hide-input"]
figure, axes = panels(1, 5.2, 2.5)
axes[0].plot(10 * slow, DASHES[1], color=COLORS[1], label="averaged over the classes too (10 x)")
axes[0].plot(losses["rung_3"], color=COLORS[0], label="cross entropy")
axes[0].plot(10 * hidden, ":", color="k", lw=2, label="averaged too, rate x 10 (10 x)")
labels(axes[0], "", "epoch", "loss of one image")
legend(axes[0])
show(figure, "The hand-out's loss learns ten times slower; at ten times the rate it is cross entropy")

# %% [markdown]
# **Exercise b10.** Two losses on the same scores: `CrossEntropyLoss()(Z, y)` and the hand-out's, 64 images,
# 10 classes. What is the factor between them?

# %% tags=["exercise"]
lessons.check("b10", 640)

# %% [markdown]
# ### Minibatches, a hidden layer
#
# Rung 5 takes a step on every 64 images instead of on all. An epoch then makes 23 steps in place of one,
# each with some noise. The `DataLoader` draws the batches; it has to **shuffle**, and the hand-out's does
# not. Rung 6 adds a hidden layer with `nn.Sequential`.

# %%
from torch.utils.data import DataLoader, TensorDataset


def fit(net, train, val, epochs, optimizer=None, schedule=None, shuffle=True, seed=0):
    """Minibatches of 64; returns validation loss and accuracy after each epoch."""
    optimizer = optimizer or torch.optim.SGD(net.parameters(), lr=0.1)
    loader = DataLoader(
        TensorDataset(*train), 64, shuffle=shuffle, generator=torch.Generator().manual_seed(seed)
    )
    history = []
    for _ in range(epochs):
        net.train()
        for images, classes in loader:
            optimizer.zero_grad()
            functional.cross_entropy(net(images), classes).backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()
        history.append(measured(net, *val))
    return np.array(history).T


@torch.no_grad()
def measured(net, images, classes):
    net.eval()
    scores = net(images)
    right = (scores.argmax(dim=1) == classes).float().mean().item()
    return functional.cross_entropy(scores, classes).item(), right


def mlp(seed=0, hidden=100):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(X.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, 10))


epochs = 20 if lab.quick else 100
rung_5 = fit(linear_module(), (X, T), (X_val, T_val), epochs)
rung_6 = fit(mlp(), (X, T), (X_val, T_val), epochs)
lab.figure("B10", "validation accuracy, linear, minibatches of 64", rung_5[1, -1],
           between=within(0.6, 1), on=ten.name)  # fmt: skip
signs = ten.name == "sign-digits"
lab.figure(
    "B10",
    "validation accuracy, MLP, minibatches of 64",
    rung_6[1, -1],
    between=(0.6, 1) if signs else within(0.88, 1),
    published=0.862,
    on=ten.name,
    note="" if signs else "The published figure is that of the signs, which are harder than these digits.",
)

# %% [markdown]
# Does shuffling matter? If the file is in the order of its classes, as that of the signs is, everything
# hangs on it: a network that sees all zeros, then all ones, and so on, ends each epoch having last seen
# nines. A fixed order that was shuffled *once* (by the split) does little harm; but who checks?

# %%
by_class = torch.argsort(T, stable=True)
in_order = fit(mlp(), (X[by_class], T[by_class]), (X_val, T_val), 8, shuffle=False)
fixed = fit(mlp(), (X, T), (X_val, T_val), 8, shuffle=False)
shuffled = fit(mlp(), (X[by_class], T[by_class]), (X_val, T_val), 8)
for name, run in (("sorted by class", in_order), ("shuffled once", fixed), ("shuffled each epoch", shuffled)):
    print(f"{name:20} validation accuracy {run[1].round(2)}")
lab.figure("B10", "what sorted batches cost, in accuracy", shuffled[1, -1] - in_order[1, -1],
           between=within(0.1, 1), on=ten.name)  # fmt: skip

# %% [markdown]
# ### The convolutional network, and forty scores for ten classes
#
# Rung 7 is the hand-out's CNN: three convolutions of 3x3 with stride 2 and 16, 16, 10 filters, then an
# average over 4x4 pixels. (How one works is told at length at the end of this lab.) Each stride halves the
# picture, 28 → 14 → 7 → 4, and the average leaves one number for each of the 10 filters: the scores.


# %%
class ConvNet(nn.Module):
    def __init__(self, last_relu=False):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(16, 10, 3, stride=2, padding=1)
        self.last_relu = last_relu

    def forward(self, x):
        x = functional.relu(self.conv1(x))
        x = functional.relu(self.conv2(x))
        x = self.conv3(x)
        x = functional.relu(x) if self.last_relu else x
        return functional.avg_pool2d(x, 4).flatten(1)


clothes = functional.interpolate(torch.tensor(fashion.x_train[:8]).float() / 255 - 0.5, (64, 64))
for pictures in (clothes[:, :, ::2, ::2][:, :, :28, :28], clothes):
    scores = ConvNet()(pictures)
    print(tuple(pictures.shape), "->", tuple(scores.shape))
kinds = torch.tensor(fashion.y_train[:8])
print("loss with 40 scores:", round(functional.cross_entropy(ConvNet()(clothes), kinds).item(), 3))
lab.figure("B10", "scores of the hand-out's CNN at 64 pixels", ConvNet()(clothes).shape[1], expected=40)

# %% [markdown]
# The hand-out made it for 28 pixels and feeds it the signs, of **64**: 64 → 32 → 16 → 8, of which the 4x4
# average leaves 2x2. Flattened, that is $10 \cdot 2 \cdot 2 = 40$ scores for ten classes, and nothing
# complains: labels 0 to 9 are fine places in a row of 40. What would have been "the average of filter 3" is
# spread over scores 12 to 15, and class 3 is taught to score 3, which is one corner of filter 0. It trains,
# in a fashion. nablab counts before it trains:

# %%
try:
    nablab.inspect("16C3s2-ReLU-16C3s2-ReLU-10C3s2-AvgPool4-Flatten", input_shape=(1, 64, 64), latency=False)
    refusal = ""
except nablab.UserError as error:
    refusal = str(error)
print(refusal)
lab.figure("B10", "nablab names the forty scores", "40 scores" in refusal, expected=True)

# %% [markdown]
# Average over *all* places, `adaptive_avg_pool2d(x, 1)` or `GlobalAvgPool`, and it has ten scores at any
# size. The same hand-out also puts a **ReLU** behind the third convolution, before the average. Then no
# score can be below zero: a class can't be voted against, only not be voted for. And a filter that is off
# everywhere has no gradient: that class is lost. Train both, on Fashion-MNIST:

# %%
take = 3000 if lab.quick else len(fashion.x_train)


def as_inputs(x):
    return torch.tensor(np.ascontiguousarray(x)).float() / 255 - 0.5


C, C_kinds = as_inputs(fashion.x_train[:take]), torch.tensor(fashion.y_train[:take])
C_val, C_val_kinds = as_inputs(fashion.x_test[:1000]), torch.tensor(fashion.y_test[:1000])


def train_cnn(last_relu, seed, epochs=6):
    torch.manual_seed(seed)
    net = ConvNet(last_relu)
    adam = torch.optim.Adam(net.parameters())
    steps = epochs * math.ceil(len(C) / 64)
    warm = torch.optim.lr_scheduler.OneCycleLR(adam, 0.02, total_steps=steps + 1)  # see B11
    return net, fit(net, (C, C_kinds), (C_val, C_val_kinds), epochs, adam, warm)


seeds = range(2)
cnns = {last: [train_cnn(last, seed) for seed in seeds] for last in (False, True)}
for last, pairs in cnns.items():
    with torch.no_grad():
        lost = [int((net(C_val).max(dim=0).values <= 0).sum()) for net, _ in pairs]
    reached = [round(float(run[1, -1]), 3) for _, run in pairs]
    print(
        f"{'with' if last else 'without'} the last ReLU: accuracy {reached}, "
        f"classes whose score is zero for every image: {lost if last else 'none can be'}"
    )
cnn, cnn_history = cnns[False][0]
lab.figure("B10", "test accuracy of the CNN without the last ReLU", [run[1, -1] for _, run in cnns[False]],
           between=(0.8, 0.92) if take == 60_000 else (0.66, 0.95),
           on=f"fashion-mnist, {take} images")  # fmt: skip
lab.figure(
    "B10",
    "what the last ReLU costs, in mean accuracy",
    np.mean([run[1, -1] for _, run in cnns[False]]) - np.mean([run[1, -1] for _, run in cnns[True]]),
    between=(0.02 if lab.quick else -0.05, 0.9),
    on=f"fashion-mnist, {take} images",
)

# %% [markdown]
# **Exercise b10b.** Write a class `Net(nn.Module)`, a CNN for grey pictures with ten scores at 28 *and* at
# 64 pixels, and nothing after the scores. The hand-out's own is asked about first.

# %% tags=["exercise"]
lessons.check("b10b", ConvNet)

# %% [markdown]
# ## Better steps · B11
#
# Plain descent, $w \leftarrow w - \eta g$, has one step size for all directions. In a valley that is steep
# across and shallow along, the steep direction limits $\eta$ (it diverges at 2 / curvature), and along the
# valley nothing moves. Four remedies, with $g$ the gradient:
#
# **Momentum** (Polyak 1964) and **Nesterov**'s (1983) remember a velocity,
#
# $$v \leftarrow \mu v + g, \qquad w \leftarrow w - \eta v \quad \text{or} \quad
# w \leftarrow w - \eta\,(g + \mu v) .$$
#
# **RMSprop** (Tieleman and Hinton 2012) remembers the size of each coordinate's gradient,
#
# $$s \leftarrow \beta s + (1-\beta)\, g^2, \qquad
# w \leftarrow w - \eta\, \frac{g}{\sqrt{s} + \varepsilon} ,$$
#
# and **Adam** (Kingma and Ba 2015) both:
#
# $$v \leftarrow \beta_1 v + (1 - \beta_1)\, g, \qquad s \leftarrow \beta_2 s + (1-\beta_2)\, g^2, \qquad
# w \leftarrow w - \eta\, \frac{\hat v}{\sqrt{\hat s} + \varepsilon} .$$
#
# Momentum rolls: what points the same way each time adds up, to $1/(1-\mu)$ times the step, and what swings
# cancels. RMSprop and Adam divide each coordinate by the size of its own gradient. Adam's hats,
# $\hat v = v / (1 - \beta_1^t)$ and $\hat s = s / (1 - \beta_2^t)$, undo that both begin at zero: after one
# step $v = (1 - \beta_1) g$, so $\hat v = g$.


# %%
def momentum(w, state, g, t, lr, mu=0.9, nesterov=False):
    v = mu * state.get("v", 0 * g) + g
    return w - lr * (g + mu * v if nesterov else v), {"v": v}


def rmsprop(w, state, g, t, lr, beta=0.99, eps=1e-8):
    s = beta * state.get("s", 0 * g) + (1 - beta) * g * g
    return w - lr * g / (np.sqrt(s) + eps), {"s": s}


def adam(w, state, g, t, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    v = beta1 * state.get("v", 0 * g) + (1 - beta1) * g
    s = beta2 * state.get("s", 0 * g) + (1 - beta2) * g * g
    hat_v, hat_s = v / (1 - beta1**t), s / (1 - beta2**t)
    return w - lr * hat_v / (np.sqrt(hat_s) + eps), {"v": v, "s": s}


def path(step, lr, steps=60, **options):
    w, state, places = np.array([-2.0, 1.0]), {}, []
    for t in range(1, steps + 1):
        places.append(w)
        w, state = step(w, state, valley * w, t, lr, **options)
    return np.array([*places, w])


def path_of(optimizer, steps=60, **options):
    w = torch.tensor([-2.0, 1.0], dtype=torch.float64, requires_grad=True)
    stepper = optimizer([w], **options)
    places = []
    for _ in range(steps):
        places.append(w.detach().numpy().copy())
        stepper.zero_grad()
        (torch.from_numpy(valley) * w * w / 2).sum().backward()
        stepper.step()
    return np.array([*places, w.detach().numpy()])


valley = np.array([1.0, 30.0])  # the curvatures along and across: L = 1/2 (w_1^2 + 30 w_2^2)
optim = torch.optim
paths = {
    "descent": (path(momentum, 0.06, mu=0), path_of(optim.SGD, lr=0.06)),
    "momentum 0.9": (path(momentum, 0.02), path_of(optim.SGD, lr=0.02, momentum=0.9)),
    "Nesterov 0.9": (
        path(momentum, 0.02, nesterov=True), path_of(optim.SGD, lr=0.02, momentum=0.9, nesterov=True),
    ),
    "RMSprop": (path(rmsprop, 0.05), path_of(optim.RMSprop, lr=0.05)),
    "Adam": (path(adam, 0.2), path_of(optim.Adam, lr=0.2)),
}  # fmt: skip
for name, (mine, theirs) in paths.items():
    lab.figure(
        "B11", f"{name}: 60 steps apart from torch.optim", gap(mine, theirs), expected=0, tolerance=1e-9
    )

# %% tags=["hide-input"]
figure, axes = panels(5, 7.6, 2.0, sharey=True)
across, up = np.meshgrid(np.linspace(-2.4, 1.2, 60), np.linspace(-1.3, 1.3, 60))
for place, (axis, (name, (mine, _))) in enumerate(zip(axes, paths.items(), strict=True)):
    height = (valley[0] * across**2 + valley[1] * up**2) / 2
    axis.contour(across, up, height, levels=np.geomspace(0.05, 30, 9), colors="0.75", linewidths=0.6)
    axis.plot(*mine.T, "o-", ms=2, lw=0.9, color=COLORS[place])
    axis.plot(0, 0, "k+")
    labels(axis, name)
show(figure, "Sixty steps of five optimisers in a narrow valley")

# %% [markdown]
# ### Schedules
#
# A large rate gets far, a small one settles. A **schedule** is a function of the step: a fall by a factor
# every so many epochs (*step*), half a cosine to zero (*cosine*), a linear rise and a fall (*one-cycle*).
# The rise is for the beginning, where weights are random and gradients long. All train the MLP of rung 6,
# from the same weights, on the same batches. On a problem as small as this one the schedules end within a
# few images of each other: look at how the losses get there.

# %%
steps = math.ceil(len(X) / 64)
epochs = 10
lr_scheduler = torch.optim.lr_scheduler
optimizers = {
    "descent 0.1": lambda p: optim.SGD(p, lr=0.1),
    "momentum 0.9": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "RMSprop": lambda p: optim.RMSprop(p, lr=2e-3),
    "Adam": lambda p: optim.Adam(p, lr=5e-3),
}
schedules = {
    "constant": lambda o: lr_scheduler.LambdaLR(o, lambda step: 1.0),
    "step": lambda o: lr_scheduler.StepLR(o, 4 * steps, 0.2),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, epochs * steps),
    "one-cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.6, total_steps=epochs * steps + 1, pct_start=0.25),
}
by_optimizer = {
    name: (lambda net: fit(net, (X, T), (X_val, T_val), epochs, make(net.parameters())))(mlp())
    for name, make in optimizers.items()
}


def scheduled(make):
    net = mlp()
    sgd = optim.SGD(net.parameters(), lr=0.6, momentum=0.8)
    schedule, rates = make(sgd), []
    kept = schedule.step
    schedule.step = lambda: (rates.append(sgd.param_groups[0]["lr"]), kept())
    return fit(net, (X, T), (X_val, T_val), epochs, sgd, schedule), rates


by_schedule = {name: scheduled(make) for name, make in schedules.items()}
for name, run in (by_optimizer | {name: run for name, (run, _) in by_schedule.items()}).items():
    print(f"{name:14} validation loss {run[0, -1]:.3f}, accuracy {run[1, -1]:.3f}")
lab.figure("B11", "validation accuracy of the four optimisers", [run[1, -1] for run in by_optimizer.values()],
           between=within(0.85, 1), on=ten.name)  # fmt: skip
rates = np.array(by_schedule["cosine"][1])
half_cosine = 0.6 * (1 + np.cos(np.pi * np.arange(epochs * steps) / (epochs * steps))) / 2
lab.figure("B11", "CosineAnnealingLR apart from lr (1 + cos(pi t / T)) / 2", gap(rates, half_cosine),
           expected=0, tolerance=1e-9)  # fmt: skip

# %% tags=["hide-input"]
figure, axes = panels(3, 7.6, 2.6)
for place, (name, run) in enumerate(by_optimizer.items()):
    axes[0].semilogy(range(1, epochs + 1), run[0], DASHES[place], color=COLORS[place], label=name)
for place, (name, (run, rates)) in enumerate(by_schedule.items()):
    axes[1].plot(np.arange(len(rates)) / steps, rates, DASHES[place], color=COLORS[place], label=name)
    axes[2].semilogy(range(1, epochs + 1), run[0], DASHES[place], color=COLORS[place], label=name)
labels(axes[0], "optimisers", "epoch", "validation loss")
labels(axes[1], "schedules", "epoch", "learning rate")
labels(axes[2], "momentum 0.8, peak 0.6", "epoch", "validation loss")
for axis in axes:
    legend(axis)
show(figure, "Validation loss by optimiser; the schedules; validation loss by schedule")

# %% [markdown]
# **Exercise b11.** Write `step(w, v, g, lr, momentum)` in PyTorch's form, returning the new $w$ and $v$.
# Below, the form of some textbooks, which weighs the gradient by $1 - \mu$: a factor of ten in the rate,
# again.


# %% tags=["exercise"]
def weighed(w, v, g, lr, momentum):
    v = momentum * v + (1 - momentum) * g
    return w - lr * v, v


lessons.check("b11", weighed)

# %% [markdown]
# ## Generalisation: stopping, dropout, augmentation · B12
#
# What counts is the error on images that were not trained on. With few images, and labels that are
# sometimes wrong, a network with thousands of weights first learns what they have in common, then learns
# them by heart. Here are 200 digits, one label in five drawn anew from the ten.

# %%
noise = np.random.default_rng(0)
few_labels = T[:200].clone()
flipped = noise.choice(200, 40, replace=False)
few_labels[flipped] = torch.tensor(noise.integers(0, 10, 40))
few = X[:200], few_labels


def stopped_early(losses, patience):
    """The epoch whose weights are kept, and the one in which training would end."""
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        if epoch - best >= patience:
            return best, epoch
    return best, len(losses) - 1


def on_few(net, seed, epochs=80, train=few):
    return fit(net, train, (X_val, T_val), epochs, torch.optim.Adam(net.parameters(), lr=1e-2), seed=seed)


alone = [on_few(mlp(seed, 300), seed) for seed in range(3)]
kept, ended = stopped_early(alone[0][0], patience=8)
print(f"patience 8: training ends after epoch {ended + 1}, and the weights of epoch {kept + 1} are kept")
lab.figure(
    "B12",
    "validation loss at the end over that of the epoch that early stopping keeps",
    alone[0][0, -1] / alone[0][0, kept],
    between=within(1.1, 20),
    on=f"200 of {ten.name}, noisy",
)

# %% [markdown]
# **Early stopping** keeps the weights of the epoch with the lowest *validation* loss, and ends when there
# was no better one for some epochs, the *patience*. The validation images have then chosen something, so
# they are no longer innocent: the final figure needs a third set, the test images, which chose nothing.
#
# ### Dropout, the example that was owed
#
# The hand-out names dropout and leaves the example for later. Here it is. In training, each hidden value is
# set to zero with probability $p$, each for itself and anew for every image and step; what stays is divided
# by $1 - p$, so that the next layer receives the same *on average*:
#
# $$\tilde h_j = \frac{m_j}{1 - p}\, h_j, \quad m_j \sim \text{Bernoulli}(1 - p), \qquad
#   E[\tilde h_j] = h_j, \qquad \operatorname{Var}[\tilde h_j] = \frac{p}{1 - p}\, h_j^2 .$$
#
# In use nothing is dropped. A unit cannot rely on one other unit being there, so what they learn is spread
# over many; seen differently, each step trains another thinned network, and the whole is something like
# their average (Srivastava et al. 2014).


# %%
def dropout(h, p, rng):
    return h * (rng.random(h.shape) >= p) / (1 - p)


values = dropout(np.full((1000, 1000), 2.0), 0.5, np.random.default_rng(0))
lab.figure("B12", "mean after dropout of p = 0.5, where all was 2", values.mean(), expected=2, tolerance=0.01)
lab.figure("B12", "variance of the same: h² p / (1 - p)", values.var(), expected=4, tolerance=0.01)


def with_dropout(seed):
    net = mlp(seed, 300)
    return nn.Sequential(net[0], net[1], nn.Dropout(0.5), net[2])


thinned = [on_few(with_dropout(seed), seed) for seed in range(3)]
gain = np.mean([a[0, -1] - d[0, -1] for a, d in zip(alone, thinned, strict=True)])
lab.figure("B12", "what dropout takes off the last validation loss, mean of 3 seeds", gain,
           between=within(0.02, 5), on=f"200 of {ten.name}, noisy")  # fmt: skip

# %% tags=["hide-input"]
figure, axes = panels(2, 7.4, 2.7)
for run, other in zip(alone, thinned, strict=True):
    for axis, row in zip(axes, (0, 1), strict=True):
        axis.plot(run[row], color=COLORS[0], lw=1)
        axis.plot(other[row], "--", color=COLORS[1], lw=1)
axes[0].plot(kept, alone[0][0, kept], "k*", ms=10)
axes[0].axvline(ended, color="0.6", lw=0.8, ls=":")
for name, color, dash in (("no dropout", COLORS[0], "-"), ("dropout 0.5", COLORS[1], "--")):
    axes[0].plot([], [], dash, color=color, label=name)
axes[0].plot([], [], "k*", label="kept by early stopping")
labels(axes[0], "200 digits, a fifth of the labels wrong", "epoch", "validation loss")
labels(axes[1], "three seeds each", "epoch", "validation accuracy")
legend(axes[0])
show(figure, "Validation loss and accuracy with and without dropout, and where early stopping would stop")

# %% [markdown]
# ### Augmentation by rotation and scaling
#
# A boot turned by ten degrees is a boot. Show the network turned and scaled copies, drawn anew each epoch,
# and it learns that for itself. The picture is computed backwards: the pixel at $u$ (measured from the
# centre) of the *new* picture takes the value of the old one at
#
# $$u' = \frac1s \begin{pmatrix} \cos\varphi & \sin\varphi \\ -\sin\varphi & \cos\varphi \end{pmatrix} u ,$$
#
# by bilinear interpolation of the four pixels around $u'$, so that no pixel of the new picture stays
# without a value.


# %%
def turned(images, degrees, factor, outside=-0.5):
    """Each image (N, 1, H, W) turned by its own angle, and magnified by its own factor."""
    angle = torch.deg2rad(torch.as_tensor(degrees, dtype=torch.float32)).expand(len(images))
    cosine, sine = torch.cos(angle) / factor, torch.sin(angle) / factor
    rows = torch.stack([cosine, sine, 0 * sine, -sine, cosine, 0 * sine], dim=1).reshape(-1, 2, 3)
    grid = functional.affine_grid(rows, images.shape, align_corners=False)
    return functional.grid_sample(images - outside, grid, align_corners=False) + outside


boot_row = int(np.flatnonzero(fashion.train_ids == 14806)[0])
boot = as_inputs(fashion.x_train[boot_row : boot_row + 1])
# %% tags=["hide-input"]
figure = Figure(figsize=(7.4, 1.9), layout="constrained", facecolor="white")
axes = figure.subplots(2, 9)
for axis, degrees in zip(axes[0], range(-40, 41, 10), strict=True):
    picture(axis, -turned(boot, degrees, 1.0)[0, 0], f"{degrees}°", -0.5, 0.5)
for axis, factor in zip(axes[1], np.linspace(0.6, 1.4, 9), strict=True):
    picture(axis, -turned(boot, 0.0, float(factor))[0, 0], f"× {factor:.1f}", -0.5, 0.5)
show(figure, "A boot turned by -40 to 40 degrees, and scaled by 0.6 to 1.4")

# %%
hands = X[:200].reshape(-1, 1, side, side)
draws = torch.Generator().manual_seed(0)
copies = [hands] + [
    turned(hands, 50 * torch.rand(200, generator=draws) - 25, 0.85 + 0.3 * torch.rand(200, generator=draws))
    for _ in range(5)
]
augmented = torch.cat(copies).flatten(1), T[:200].repeat(6)
leaning = turned(X_val.reshape(-1, 1, side, side), 20.0, 1.0).flatten(1)
scores_of = {"as they are": [], "augmented": []}
for seed in range(3):
    for name, part, epochs in (("as they are", (X[:200], T[:200]), 60), ("augmented", augmented, 10)):
        net = mlp(seed)
        on_few(net, seed, epochs, part)
        scores_of[name].append([measured(net, X_val, T_val)[1], measured(net, leaning, T_val)[1]])
plainly, richly = (np.mean(scores_of[name], axis=0) for name in scores_of)
print(f"upright validation digits: {plainly[0]:.3f} without, {richly[0]:.3f} with augmentation")
print(f"turned by 20 degrees:      {plainly[1]:.3f} without, {richly[1]:.3f} with augmentation")
lab.figure("B12", "gain by augmentation on digits turned by 20 degrees, mean of 3 seeds",
           richly[1] - plainly[1], between=within(0.01, 1), on=f"200 of {ten.name}")  # fmt: skip

# %% [markdown]
# On upright digits it gains nothing here, and may cost a little: it teaches what is not asked. On leaning
# ones it is worth a lot. In nablab that is `--augmentation rotate:10,scale:0.1`, drawn anew each epoch.
# Only do what leaves the class as it is: a six turned by 180° is a nine.
#
# **Exercise b12.** Write `dropout(h, p, rng)` as it is in training. Below, one that forgets the division.

# %% tags=["exercise"]
lessons.check("b12", lambda h, p, rng: h * (rng.random(h.shape) >= p))

# %% [markdown]
# ## How a convolutional network works · B12
#
# The hand-out owes this chapter. It follows *one* picture, the boot above, through everything that a
# convolutional network does to it.
#
# ### Why not simply a linear layer?
#
# To a linear layer a picture is a list of numbers: shuffle all pixels, the same way in every picture, and
# it learns exactly as well. It has a weight for every pixel, and what it learns about a heel at the bottom
# left it doesn't know at the bottom right. A **convolution** makes two promises. It is *local*: a unit
# looks at a small window. And it is *the same everywhere*: all windows share one small set of weights, the
# **kernel**. So a 3x3 kernel has nine weights, whatever the size of the picture, and **when the picture
# moves, the answer moves with it**:

# %%
find_vertical = torch.tensor([[-1.0, 0.0, 1.0]] * 3)[None, None]  # (filters, channels, 3, 3)


shoe = boot + 0.5  # from 0, the background, to 1


def convolved(image, kernel=find_vertical, **options):
    return functional.conv2d(image, kernel, **options)


def shifted(image, down, right):
    return functional.pad(image, (right, 0, down, 0))[:, :, :28, :28]


moved = shifted(shoe, 3, 2)
answer, moved_answer = convolved(shoe), convolved(moved)
apart = answer[:, :, :-3, :-2] - moved_answer[:, :, 3:, 2:]
lab.figure("B12", "conv(moved boot) apart from moved conv(boot)", apart, expected=0, on="one boot")

# %% tags=["hide-input"]
figure, axes = panels(4, 7.0, 1.9)
picture(axes[0], -shoe[0, 0], "the boot")
signed(axes[1], answer[0, 0], "its vertical edges")
picture(axes[2], -moved[0, 0], "moved")
signed(axes[3], moved_answer[0, 0], "the edges have moved with it")
show(figure, "A boot and its edges, and the same boot moved, whose edges have moved alike")

# %% [markdown]
# ### Sliding
#
# Lay the kernel on the top left of the picture. Multiply each weight with the pixel under it, add the nine
# products: the first number of the output. Move the kernel by one pixel, do it again. With input $x$,
# kernel $w$ and bias $b$,
#
# $$y_{ij} = b + \sum_{u=0}^{k-1} \sum_{v=0}^{k-1} w_{uv}\; x_{i+u,\, j+v} .$$
#
# (Mathematicians call this correlation; a convolution proper turns the kernel by 180°. A network learns its
# kernel, so it does not matter, except when numbers are compared.) Below, a piece of the boot's sole and
# heel, its grey values rounded to 0...9 so that they can be read, under a kernel that finds vertical edges:
# right column minus left column.


# %%
def convolve(x, w):
    """(H, W) and (k, k) to (H - k + 1, W - k + 1): four loops, nothing hidden."""
    k = len(w)
    y = np.zeros((x.shape[0] - k + 1, x.shape[1] - k + 1))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            for u in range(k):
                for v in range(k):
                    y[i, j] += w[u, v] * x[i + u, j + v]
    return y


w = np.array([[-1, 0, 1]] * 3)
pixels = np.rint(shoe[0, 0].numpy() * 9).astype(int)
piece = pixels[17:26, 3:13]
edges = convolve(piece, w).astype(int)
theirs = convolved(torch.tensor(piece, dtype=torch.float32)[None, None])[0, 0]
lab.figure("B12", "the four loops, apart from PyTorch", edges - theirs.numpy(), expected=0, on="one boot")

# %% tags=["hide-input"]
CELL = 24  # pixels


def grid_svg(values, left, top, fills, extra=""):
    """A grid of numbers as SVG; `fills` are the colours of its cells."""
    parts = []
    for (i, j), value in np.ndenumerate(values):
        x, y = left + j * CELL, top + i * CELL
        ink = "#fff" if fills[i][j][1] else "#111"
        parts.append(f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{fills[i][j][0]}"{extra}/>')
        parts.append(f'<text x="{x + CELL // 2}" y="{y + 16}" fill="{ink}">{value}</text>')
    return "".join(parts)


def greys(values):
    return [[(f"rgb({255 - 26 * v},{255 - 26 * v},{255 - 26 * v})", v > 4) for v in row] for row in values]


def reds_and_blues(values, most):
    def fill(v):
        pale = int(255 * (1 - min(abs(v) / most, 1) * 0.7))
        return (f"rgb(255,{pale},{pale})" if v > 0 else f"rgb({pale},{pale},255)", False)

    return [[fill(v) for v in row] for row in values]


def sliding_svg(x, w, y, seconds_each=0.5):
    """The kernel sliding over x, the products of each place, and the output as it grows."""
    k, count = len(w), y.size
    whole = count * seconds_each
    frame = 'fill="none" stroke="#b94a08" stroke-width="3"'
    x_left, mid_left, y_left, top = 8, 8 + CELL * (x.shape[1] + 1), 8 + CELL * (x.shape[1] + 6), 34
    y_top = top + CELL // 2
    height, width = top + CELL * x.shape[0] + 12, y_left + CELL * y.shape[1] + 12
    fills = reds_and_blues(y, np.abs(y).max())
    style = [".sliding text{font:12px sans-serif;text-anchor:middle}.sliding .h{font-weight:bold}"]
    parts = [
        f'<text class="h" x="{x_left + CELL * x.shape[1] / 2}" y="22">picture</text>',
        f'<text class="h" x="{mid_left + CELL * 2}" y="22">kernel</text>',
        f'<text class="h" x="{y_left + CELL * y.shape[1] / 2}" y="22">output</text>',
        grid_svg(x, x_left, top, greys(x)),
        grid_svg(w, mid_left + CELL // 2, top, reds_and_blues(w, 2), ' stroke="#888"'),
    ]
    for t, (i, j) in enumerate(np.ndindex(y.shape)):
        begins, ends = 100 * t / count, 100 * (t + 1) / count
        first = "visible" if t == 0 else "hidden"
        start = f"0%{{visibility:{first}}}" + ("" if t == 0 else f"{begins:.3f}%{{visibility:visible}}")
        style.append(f"@keyframes f{t}{{{start}{ends:.3f}%{{visibility:hidden}}}}@keyframes k{t}{{{start}}}")
        style.append(f"#f{t}{{animation:f{t} {whole}s step-end infinite}}")
        style.append(f"#k{t}{{animation:k{t} {whole}s step-end infinite}}")
        products = w * x[i : i + k, j : j + k]
        shown = grid_svg(
            products, mid_left + CELL // 2, top + CELL * 4, reds_and_blues(products, 9), ' stroke="#888"'
        )
        places = [
            f'<rect x="{left}" y="{up}" width="{size}" height="{size}" {frame}/>'
            for left, up, size in (
                (x_left + j * CELL, top + i * CELL, k * CELL),
                (y_left + j * CELL, y_top + i * CELL, CELL),
            )
        ]
        total = f'<text class="h" x="{mid_left + CELL * 2}" y="{top + CELL * 8}">sum {y[i, j]}</text>'
        parts.append(f'<g id="f{t}" visibility="{first}">{"".join(places)}{shown}{total}</g>')
        cell = grid_svg(y[i : i + 1, j : j + 1], y_left + j * CELL, y_top + i * CELL, [[fills[i][j]]])
        parts.append(f'<g id="k{t}" visibility="{first}">{cell}</g>')
    style.append("@media (prefers-reduced-motion:reduce){.sliding g[id]{animation:none!important}")
    style.append(".sliding g[id^=k]{visibility:visible}}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="sliding" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">'
        f"<title>A kernel slides over a piece of the boot</title><style>{''.join(style)}</style>"
        f'<rect width="{width}" height="{height}" fill="#fff"/>{"".join(parts)}</svg>'
    )


display(SVG(sliding_svg(piece, w, edges)))

# %% [markdown]
# (If nothing moves above, your viewer shows pictures only; here are four moments of it.)

# %% tags=["hide-input"]
from matplotlib.patches import Rectangle

figure = Figure(figsize=(7.4, 3.4), layout="constrained", facecolor="white")
axes = figure.subplots(2, 4)
for column, (i, j) in enumerate(((0, 0), (0, 5), (3, 3), (6, 7))):
    above, below = axes[:, column]
    picture(above, -piece, f"place ({i}, {j}): sum {edges[i, j]}")
    for (row, col), value in np.ndenumerate(piece):
        above.text(col, row, value, ha="center", va="center", fontsize=6, color="wk"[int(value < 5)])
    above.add_patch(Rectangle((j - 0.5, i - 0.5), 3, 3, fill=False, ec=COLORS[1], lw=2))
    done = np.full(edges.shape, np.nan)
    done.flat[: i * edges.shape[1] + j + 1] = edges.flat[: i * edges.shape[1] + j + 1]
    signed(below, done, "", float(np.abs(edges).max()))
    below.set_facecolor("0.93")
    below.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, ec=COLORS[1], lw=2))
    below.set(xlim=(-0.5, edges.shape[1] - 0.5), ylim=(edges.shape[0] - 0.5, -0.5))
show(figure, "Four moments of the kernel sliding over the boot, and the output so far")

# %% [markdown]
# Where the picture is flat, left and right column cancel: white. At the left end of a dark patch the sum is
# positive, at its right end negative. Nine other weights find something else. All that a convolutional
# layer learns is such kernels:

# %%
kernels = {
    "vertical edges": [[-1, 0, 1]] * 3,
    "horizontal edges": [[-1] * 3, [0] * 3, [1] * 3],
    "blur": np.full((3, 3), 1 / 9),
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "spots": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
}
found = {
    name: convolved(shoe, torch.tensor(np.array(kernel), dtype=torch.float32)[None, None])[0, 0]
    for name, kernel in kernels.items()
}

# %% tags=["hide-input"]
figure = Figure(figsize=(7.4, 2.5), layout="constrained", facecolor="white")
axes = figure.subplots(2, 6, height_ratios=[1, 2])
axes[0, 0].axis("off")
picture(axes[1, 0], -shoe[0, 0], "the boot")
for column, (name, kernel) in enumerate(kernels.items(), start=1):
    signed(axes[0, column], np.array(kernel), name)
    for (row, col), value in np.ndenumerate(np.array(kernel)):
        text = "1/9" if name == "blur" else f"{value}"
        dark = abs(value) > 0.6 * np.abs(kernel).max()
        axes[0, column].text(col, row, text, ha="center", va="center", fontsize=6, color="kw"[int(dark)])
    if name in ("blur", "sharpen"):
        picture(axes[1, column], -found[name])
    else:
        signed(axes[1, column], found[name])
show(figure, "Five kernels, and what each makes of the boot")

# %% [markdown]
# ### Padding
#
# A 3x3 window fits into 28 pixels 26 times, so the output is smaller, and after twelve such layers four
# pixels are left. And the windows are unjust: a pixel in the middle is seen by nine of them, one in the
# corner by one. **Padding** puts a frame of zeros around the picture. With $p = (k-1)/2$ the size stays,
# and so does most of the justice. (Zero must *mean* nothing there. The boot's values here run from 0, the
# background; once pixels are centred around zero, a frame of zeros is a frame of middle grey, and the
# border itself becomes an edge. You will see it in the trained network's maps.)

# %%
ones = torch.ones(1, 1, 28, 28)
seen = {
    p: functional.conv_transpose2d(
        torch.ones(1, 1, 26 + 2 * p, 26 + 2 * p), torch.ones(1, 1, 3, 3), padding=p
    )
    for p in (0, 1)
}
lab.figure("B12", "windows that see the corner, the edge and the middle, no padding",
           [seen[0][0, 0, 0, 0], seen[0][0, 0, 0, 9], seen[0][0, 0, 9, 9]], expected=[1, 3, 9])  # fmt: skip
lab.figure("B12", "the same with padding 1",
           [seen[1][0, 0, 0, 0], seen[1][0, 0, 0, 9], seen[1][0, 0, 9, 9]], expected=[4, 6, 9])  # fmt: skip

# %% tags=["hide-input"]
figure, axes = panels(4, 7.0, 1.9)
for axis, p in zip(axes[:2], seen, strict=True):
    picture(axis, seen[p][0, 0], f"windows, padding {p}", 0, 9, "viridis")
    for row, col in ((0, 0), (0, 14), (14, 14)):
        value = int(seen[p][0, 0, row, col])
        axis.text(
            col + (1 if col == 0 else 0),
            row + 1,
            value,
            ha="center",
            color="w" if value < 6 else "k",
            fontsize=8,
        )
framed = functional.pad(shoe, (1, 1, 1, 1))
picture(axes[2], -framed[0, 0], "framed: 30x30")
axes[2].add_patch(Rectangle((0.5, 0.5), 28, 28, fill=False, ec=COLORS[1], lw=1))
axes[2].add_patch(Rectangle((-0.5, -0.5), 3, 3, fill=False, ec=COLORS[0], lw=1.5))
signed(axes[3], convolved(framed)[0, 0], "output: 28x28 again")
show(figure, "How many windows see each pixel without and with padding; the boot framed; its edges")

# %% [markdown]
# ### Stride, and the size of what comes out
#
# With **stride** $s$ the kernel moves by $s$ pixels at a time: there are fewer places, a smaller output,
# less work. The left edge of the window stands at $0, s, 2s, \dots$ and must not go past $n + 2p - k$, the
# last place where it fits; so there are
#
# $$n' = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1 \quad \text{places.}$$
#
# What comes out is what stride 1 would have given, every $s$-th number of it.

# %%
for s in (1, 2, 3):
    out = convolved(shoe, stride=s, padding=1)
    lab.figure("B12", f"size after stride {s}: the formula", out.shape[-1], expected=(28 + 2 - 3) // s + 1)
strided = convolved(shoe, stride=2, padding=1) - convolved(shoe, padding=1)[:, :, ::2, ::2]
lab.figure("B12", "stride 2 apart from every second of stride 1", strided, expected=0, tolerance=1e-6)

# %% tags=["hide-input"]
figure = Figure(figsize=(7.4, 1.75), layout="constrained", facecolor="white")
axes = figure.subplots(1, 6, width_ratios=[2, 2, 2, 2, 1, 0.68])
for axis, s in zip(axes, (1, 2, 3), strict=False):
    picture(axis, -0.5 * framed[0, 0], f"stride {s}", -1, 0)
    stands = np.arange(0, 28, s) + 1
    axis.plot(*np.meshgrid(stands, stands), ".", color=COLORS[0], ms=1.6)
    for number in range(3):
        corner = (9 + number * s - 0.5, 15 - 0.5)
        axis.add_patch(Rectangle(corner, 3, 3, fill=False, ec=COLORS[(1, 2, 3)[number]], lw=1.5))
for axis, s in zip(axes[3:], (1, 2, 3), strict=True):
    out = convolved(shoe, stride=s, padding=1)[0, 0]
    signed(axis, out, f"{len(out)}x{len(out)}")
show(figure, "The places of the kernel with strides 1, 2 and 3, and the outputs they give")

# %% [markdown]
# **Exercise b12b.** Write `size(n, k, s, p)`, the size that leaves a convolution or a pooling.

# %% tags=["exercise"]
lessons.check("b12b", lambda n, k, s, p: (n + 2 * p - k) / s + 1)

# %% [markdown]
# ### Channels
#
# The boot is grey: one number a pixel. A colour picture has three, its **channels**. A kernel then is as
# deep as the picture: for each channel it has a slice of its own, each slice slides over its channel, and
# the results are *added*. So one kernel makes **one** map, however many channels go in. To have several
# maps, take several kernels: **each filter makes one channel of the output**,
#
# $$y_{f,i,j} = b_f + \sum_{c} \sum_{u,v} w_{f,c,u,v}\; x_{c,\,i+u,\,j+v}, \qquad
# \text{weights } F \times C \times k \times k, \quad \text{parameters } F\,(C k^2 + 1).$$

# %%
colours = torch.tensor(np.ascontiguousarray(flower[20:330:5, 130:440:5])).permute(2, 0, 1)[None].float() / 255
warm = torch.stack([find_vertical[0, 0] * weight for weight in (1.0, -0.5, -0.5)])[None]  # (1, 3, 3, 3)
slices = [convolved(colours[:, c : c + 1], warm[:, c : c + 1])[0, 0] for c in range(3)]
together = convolved(colours, warm)[0, 0]
lab.figure("B12", "sum of the three slices apart from the one map", gap(sum(slices), together), expected=0,
           tolerance=1e-5, on="a photograph")  # fmt: skip
print("picture", tuple(colours.shape), " kernel", tuple(warm.shape), " map", tuple(together.shape))

# %% tags=["hide-input"]
figure = Figure(figsize=(7.4, 2.6), layout="constrained", facecolor="white")
axes = figure.subplots(2, 5)
picture(axes[0, 0], colours[0].permute(1, 2, 0), "the picture")
axes[1, 0].axis("off")
axes[0, 4].axis("off")
most = max(float(part.abs().max()) for part in [*slices, together])
for c, (name, part) in enumerate(zip(("red", "green", "blue"), slices, strict=True)):
    picture(axes[0, c + 1], colours[0, c], name, 0, 1)
    signed(axes[1, c + 1], part, f"slice for {name}", most)
signed(axes[1, 4], together, "= their sum: one map", most)
show(figure, "A flower's channels, what the kernel's slices make of them, and the sum", kind="jpeg")

# %% [markdown]
# This kernel asks where *redness* begins and ends, red less the mean of green and blue; no kernel on the
# grey picture could. In the hand-out's CNN the second layer's kernels are sixteen channels deep: each
# combines sixteen questions of the first layer into a new one. That is how edges become corners, and
# corners heels. What nablab counts must be what the formula says:

# %%
counted = nablab.inspect(
    "16C3s2-ReLU-16C3s2-ReLU-10C3s2-GlobalAvgPool", input_shape=(1, 28, 28), latency=False
)
by_formula = 16 * (1 * 9 + 1) + 16 * (16 * 9 + 1) + 10 * (16 * 9 + 1)
lab.figure("B12", "parameters of the CNN, by the formula", counted.record.parameters, expected=by_formula)
lab.figure("B12", "and by PyTorch", sum(p.numel() for p in ConvNet().parameters()), expected=by_formula)
counted

# %% [markdown]
# ### Pooling
#
# **Pooling** has no weights: each 2x2 square of a map is replaced by its largest number (*max*: is it
# anywhere here?) or their mean (*average*: how much of it is here?). The map shrinks, later kernels see
# further, and it no longer matters by a pixel where something was.

# %%
maps = functional.relu(convolved(shoe, padding=1))
largest, mean = functional.max_pool2d(maps, 2), functional.avg_pool2d(maps, 2)
by_hand = maps[0, 0].reshape(14, 2, 14, 2).permute(0, 2, 1, 3).reshape(14, 14, 4)
lab.figure("B12", "2x2 pooling by hand, apart from PyTorch", [
    (by_hand.amax(dim=-1) - largest[0, 0]).abs().max(), (by_hand.mean(dim=-1) - mean[0, 0]).abs().max(),
], expected=0, tolerance=1e-6, on="one boot")  # fmt: skip


def change(f):
    """How much a move by one pixel changes f(picture), relative to its size."""
    here, there = f(shoe), f(shifted(shoe, 0, 1))
    return ((here - there).norm() / here.norm()).item()


def pooled_edges(x):
    return functional.max_pool2d(functional.relu(convolved(x)), 4)


print(
    f"moved by one pixel, the edges change by {change(lambda x: functional.relu(convolved(x))):.0%}, "
    f"their 4x4 maxima by {change(pooled_edges):.0%}"
)

# %% tags=["hide-input"]
figure, axes = panels(4, 7.2, 2.0)
corner = maps[0, 0, 18:26, 4:12]
picture(axes[0], maps[0, 0], "edges after ReLU: 28x28", colors="Reds")
axes[0].add_patch(Rectangle((3.5, 17.5), 8, 8, fill=False, ec="k", lw=1.2))
picture(axes[1], corner, "the framed piece, in squares of 2x2", colors="Reds")
for (row, col), value in np.ndenumerate(corner.numpy()):
    axes[1].text(col, row, f"{value:.1f}"[-3:], ha="center", va="center", fontsize=5)
for place in range(0, 9, 2):
    axes[1].axhline(place - 0.5, color="k", lw=1)
    axes[1].axvline(place - 0.5, color="k", lw=1)
for axis, pooled_map, name in ((axes[2], largest, "max"), (axes[3], mean, "average")):
    picture(axis, pooled_map[0, 0], f"{name}: 14x14", colors="Reds")
    axis.add_patch(Rectangle((1.5, 8.5), 4, 4, fill=False, ec="k", lw=1.2))
show(figure, "A map of edges, a piece of it with its numbers, and its maxima and means")

# %% [markdown]
# ### The boot goes through a trained network
#
# Now all of it at once: the CNN of B10, as it was trained there. 28x28 → sixteen maps of 14x14 → sixteen of
# 7x7 → ten of 4x4, whose averages are the scores. Each small picture is one channel. Look at the *last*
# row: there every class has a map of its own, and each of its sixteen places **votes** for or against the
# class by what it sees around it; the score is the mean of the votes.

# %%
cnn.eval()
with torch.no_grad():
    before_1 = cnn.conv1(boot)
    after_1 = functional.relu(before_1)
    after_2 = functional.relu(cnn.conv2(after_1))
    votes = cnn.conv3(after_2)
    scores = votes.mean(dim=(2, 3))
    whole = cnn(boot)
lab.figure(
    "B12",
    "mean of the votes apart from the network's scores",
    (scores - whole).abs().max(),
    expected=0,
    tolerance=1e-5,
    on="one boot",
)
probabilities = scores.softmax(dim=1)[0]
print("it says:", fashion.classes[int(probabilities.argmax())], f"({probabilities.max():.0%})")

# %% tags=["hide-input"]
figure = Figure(figsize=(7.4, 7.6), layout="constrained", facecolor="white")
grid = figure.add_gridspec(10, 19, height_ratios=[0.5, 0.5, *[1] * 8])
blocks = (
    ("kernels of\nlayer 1", cnn.conv1.weight.detach()[:, 0], 0, 8, signed),
    ("after layer 1:\n16 maps, 14x14", before_1[0], 2, 8, signed),
    ("after its\nReLU", after_1[0], 4, 8, None),
    ("after layer 2\nand ReLU:\n16 maps, 7x7", after_2[0], 6, 8, None),
    ("after layer 3:\n10 maps of 4x4\nvotes, and\ntheir mean", votes[0], 8, 5, signed),
)
for name, images, line, columns, drawn in blocks:
    axis = figure.add_subplot(grid[line : line + len(images) // columns, :3])
    axis.axis("off")
    axis.text(1, 0.5, name, ha="right", va="center", fontsize=8)
    most, wide = float(images.abs().max()), 16 // columns
    for channel, image in enumerate(images):
        row, col = line + channel // columns, 3 + wide * (channel % columns)
        axis = figure.add_subplot(grid[row, col : col + wide])
        title = f"{fashion.classes[channel]} {float(scores[0, channel]):.1f}" if len(images) == 10 else ""
        if drawn is None:
            picture(axis, image, title, 0, most, "Reds")
        else:
            signed(axis, image, title, most)
show(figure, "The boot's maps after every layer of a trained network, down to ten maps of votes")

# %% [markdown]
# The kernels of the first layer (top) are small edge finders; nobody told them to. The ReLU keeps what a
# kernel found and drops what it found the contrary of. Every layer is smaller and says more: a unit of the
# last one is no longer about a pixel but about a region. How large a region?
#
# ### The receptive field
#
# The **receptive field** of a unit is the part of the picture that it can see. Go one layer up with kernel
# $k$: the unit sees $k$ units side by side, whose own fields, of size $r$, begin $j$ pixels apart. So
#
# $$r' = r + (k - 1)\, j, \qquad j' = j \cdot s, \qquad \text{from } r = 1,\; j = 1 .$$
#
# For the CNN: 3, then $3 + 2\cdot 2 = 7$, then $7 + 2 \cdot 4 = 15$ pixels, with jumps of 2, 4, 8. Strides
# make it grow by multiplying; three such layers without stride would see 7. The proof is a gradient: what a
# unit can see is exactly where the derivative of the unit by the pixels need not be zero.


# %%
def receptive_field(layers):
    r, j = 1, 1
    for k, s in layers:
        r, j = r + (k - 1) * j, j * s
    return r


def seen_by(depth, row, col):
    """The derivative by the pixels of one place of layer `depth`, with weights of one everywhere."""
    image = torch.zeros(1, 1, 28, 28, requires_grad=True)
    x = image
    for layer in (cnn.conv1, cnn.conv2, cnn.conv3)[:depth]:
        x = functional.conv2d(x, torch.ones_like(layer.weight), stride=2, padding=1)
    x[0, 0, row, col].backward()
    return image.grad[0, 0]


units = {1: (7, 6), 2: (4, 3), 3: (2, 2)}
fields = {depth: seen_by(depth, *unit) for depth, unit in units.items()}
widths = [int((field != 0).any(dim=0).sum()) for field in fields.values()]
lab.figure(
    "B12", "receptive fields of the three layers, where the gradient is not zero", widths, expected=[3, 7, 15]
)
lab.figure("B12", "and by the recursion", [receptive_field([(3, 2)] * n) for n in (1, 2, 3)], expected=widths)

# %%
probe = C_val[:200].clone().requires_grad_()
middle = cnn.conv3(functional.relu(cnn.conv2(functional.relu(cnn.conv1(probe)))))[:, :, 2, 2]
middle.sum().backward()
felt = probe.grad.abs().mean(dim=(0, 1))  # how much each pixel moves a vote in the middle, over 200 pictures

# %% tags=["hide-input"]
figure, axes = panels(5, 7.6, 1.9)
for axis, (depth, field) in zip(axes, fields.items(), strict=False):
    picture(
        axis, -0.6 * boot[0, 0], f"layer {depth}: sees {widths[depth - 1]}x{widths[depth - 1]}", -0.5, 0.5
    )
    rows, cols = (np.flatnonzero((field != 0).any(dim=d)) for d in (1, 0))
    axis.add_patch(
        Rectangle((cols[0] - 0.5, rows[0] - 0.5), len(cols), len(rows), fc=COLORS[depth - 1], alpha=0.35)
    )
    axis.add_patch(
        Rectangle(
            (cols[0] - 0.5, rows[0] - 0.5), len(cols), len(rows), fill=False, ec=COLORS[depth - 1], lw=2
        )
    )
picture(axes[3], -0.6 * boot[0, 0], "all 16 votes of layer 3", -0.5, 0.5)
for row, col in np.ndindex(4, 4):
    corner = (8 * col - 7.5, 8 * row - 7.5)
    axes[3].add_patch(Rectangle(corner, 15, 15, fill=False, ec=COLORS[2], lw=0.7, clip_on=True))
picture(axes[4], felt, "what it feels: |gradient|", 0, float(felt.max()), "viridis")
show(
    figure,
    "The part of the boot that one unit of each layer sees, and how strongly a trained unit feels each pixel",
)

# %% [markdown]
# The last picture is of the trained network. The grid in it is the stride's: with 3x3 windows two pixels
# apart, every second row and column is seen by two windows. And in the middle of its field a unit feels
# much, at the rim little, since few paths lead there. The *effective* receptive field is smaller than the
# one on paper (Luo et al. 2016).
#
# **That is a convolutional network**: small windows, the same weights everywhere (sliding), edges that are
# not forgotten (padding), looking less often and further (stride, pooling), many questions at once, built
# on one another (channels), until a unit sees enough of the boot to vote for it.
#
# **Exercise b12c.** Write `field(layers)`: the receptive field after layers given as (kernel, stride)
# pairs. **Exercise b12d.** Write `conv(x, w, stride, padding)` for $x$ (C, H, W) and $w$ (F, C, k, k), in
# NumPy.


# %% tags=["exercise"]
def without_jumps(layers):
    return 1 + sum(k - 1 for k, _ in layers)


lessons.check("b12c", without_jumps)
# lessons.check("b12d", ...)

# %% [markdown]
# ## What was found
#
# The mistakes of this document, and what finds them:
#
# | the document | what follows | found by |
# |:--|:--|:--|
# | columns of `Y.npy` taken for digits | right answers under wrong names | looking (B1) |
# | per-pixel scaling called joint | specks as loud as strokes | drawing the difference (B2) |
# | scaler fitted before the split | the test images were seen | splitting first (B2) |
# | loss summed over the images | curves that can't be compared | the first epoch; `gradcheck` (B4) |
# | softmax and logarithm as written | nan | a score of 800 (B4) |
# | derivative $(1-h)^2$ | a loss that rises, units stuck at -1 | `gradcheck` names it (B5) |
# | `requires_grad_()`, `zero_grad()`, `backward()` | | trying them out (B9) |
# | likelihood averaged over the classes | a tenth of the rate | the ladder (B10) |
# | loader that doesn't shuffle | the last class seen wins | sorting the data (B10) |
# | forty scores for ten classes | thirty to nothing | counting: `nablab inspect` (B10) |
# | ReLU before the scores | classes that are lost | scores that are never above zero (B10) |

# %%
lab.shown("B12", "sliding, padding, stride, channels, pooling, receptive field, on one boot")
lab.shown("B7", "eight activations with their derivatives")
lab.shown("B11", "five optimisers in a valley; four schedules")
lab.summary()

# %% [markdown]
# **Where to go on.** Lab `c` asks which learning rate is the fastest, and measures dropout on larger
# networks; lab `d` bends decision boundaries; lab `e` recognises sick trainings from their curves.
# `nablab compare net_linear lenet "16C3s2-ReLU-16C3s2-ReLU-10C3s2-GlobalAvgPool-K"` trains what you have
# just seen beside others, with seeds and intervals. The solutions of the exercises are in
# `nablab.lessons.solutions.b`.
