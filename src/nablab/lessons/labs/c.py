# %% [markdown]
# # Lab c: the step size, the penalty and dropout
#
# Three numbers decide how a training ends, whatever the network: how far a step goes, how hard the weights
# are held back, and how many units are dropped. This lab works each of them out before it turns it.
#
# Afterwards you can
#
# - say, from the curvature of a loss, which learning rate is fastest, which is too large, and why;
# - do by hand what `loss.backward()` does, and name the node of the graph behind each line of your
#   derivation;
# - hold out the same validation images in every run, and show that they are the same;
# - derive softmax regression, train it with SGD, and turn one convention of the L2 penalty into another;
# - say what dropout does in expectation, what it costs, and when it helps;
# - write a network as one line of text, build it, and count its parameters with a pencil.
#
# Reading and doing take about two hours; running it, less than a minute. It grew out of a practical that
# asks six things, C1 to C6; the end of a heading says which of them it answers. You need to know
# derivatives, the chain rule and some NumPy.

# %%
import inspect
import re
from hashlib import sha256
from html import escape
from io import StringIO
from tempfile import TemporaryDirectory

import matplotlib
import numpy as np
import torch
from IPython.display import display
from matplotlib.figure import Figure
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

import nablab
from nablab import autograd, lessons
from nablab.report.plots_theme import LIGHT, MARKERS, plain_axes

lab = lessons.begin("c")
torch.set_num_threads(1)  # sums are then taken in one order, whatever the machine

# %% [markdown]
# Two small tools for what follows: a picture with words for those who cannot see it, and a table.


# %% tags=["hide-input"]
def canvas(width, height, columns=1):
    """A figure on white, and its axes."""
    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    panels = figure.subplots(1, columns, squeeze=False)[0]
    for axes in panels:
        plain_axes(axes)
    return figure, *panels


def show(figure, words):
    page = StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "lab c"}):
        figure.savefig(page, format="svg", metadata={"Date": None})
    display({"image/svg+xml": page.getvalue(), "text/plain": words}, raw=True)


def table(heads, *rows):
    lines = [[str(cell) for cell in row] for row in (heads, *rows)]
    html = "".join(
        "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in line) + "</tr>"
        for line, tag in zip(lines, ["th", *["td"] * len(rows)], strict=True)
    )
    plain = "\n".join(" | ".join(line) for line in lines)
    display({"text/html": f"<table>{html}</table>", "text/plain": plain}, raw=True)


# %% [markdown]
# ## One loss, one step size · C1
#
# The smallest training there is. One sample $x = (1, 1, 1, 1, 1)$, its target 1, a linear model without
# bias, square loss:
#
# $$ L(w) = (1 - x \cdot w)^2, \qquad w \in \mathbb{R}^5, \quad w_0 = 0. $$
#
# **The gradient.** Call the residual $r = 1 - x \cdot w$. Then $L = r^2$ and, by the chain rule,
#
# $$ \frac{\partial L}{\partial w_i} = \frac{dL}{dr} \, \frac{\partial r}{\partial w_i} = 2r \cdot (-x_i),
# \qquad \nabla L(w) = -2 \, (1 - x \cdot w) \, x. $$
#
# Gradient descent with the learning rate $\eta$ goes against it, step after step:
#
# $$ w \leftarrow w - \eta \nabla L(w) = w + 2 \eta r x . $$


# %%
x = np.ones(5)


def descend(x, lr, steps, start=None):
    """The losses before each step, and the weights at the end."""
    w = np.zeros(len(x)) if start is None else start.copy()
    losses = []
    for _ in range(steps):
        residual = 1 - x @ w
        losses.append(residual**2)
        w = w - lr * (-2 * residual * x)
    return np.array(losses), w


rates = (0.01, 0.05, 0.1, 0.15, 0.2, 0.21)

# %% tags=["hide-input"]
table(
    ["learning rate", *(f"loss before step {k}" for k in (1, 2, 3, 4)), "after 50 steps"],
    *([lr, *(f"{loss:.4g}" for loss in descend(x, lr, 51)[0][[0, 1, 2, 3, 50]])] for lr in rates),
)

# %% [markdown]
# Six behaviours in one table: creeping, steady, *finished after one step*, overshooting but falling,
# standing still, and climbing. Nothing but $\eta$ differs. The two special rates are exactly what the table
# suggests:

# %%
lab.figure("C1", "w after one step at 1/10", descend(x, 0.1, 1)[1], expected=0.2)
lab.figure("C1", "loss after one step at 1/10", descend(x, 0.1, 2)[0][1], expected=0)
lab.figure("C1", "loss in each of 1,000 steps at 1/5", descend(x, 0.2, 1000)[0], expected=1)
climbing = descend(x, 0.21, 101)[0]
lab.figure(
    "C1",
    "how much the loss grows in 100 steps at 0.21",
    climbing[100] / climbing[0],
    expected=1.1**200,
    tolerance=1e-3 * 1.1**200,
    note="(1 - 10 lr)^2 a step",
)

# %% [markdown]
# ## The same descent on an engine, and in PyTorch · C1
#
# Only the line with the gradient is replaced. What you wrote above, $-2 r x$, is what `backward()` works
# out; the rest of the loop stays. `nablab.autograd` has PyTorch's names, so one function does both.


# %%
def descend_with(library, lr, steps):
    x = library.ones(5, dtype=library.float64)
    w = library.zeros(5, dtype=library.float64, requires_grad=True)
    losses = []
    for _ in range(steps):
        loss = (1 - x @ w) ** 2
        losses.append(loss.item())
        loss.backward()
        with library.no_grad():
            w -= lr * w.grad
        w.grad = None  # or the next backward() adds to it
    return np.array(losses)


apart = [
    np.abs(descend_with(library, lr, 60) - descend(x, lr, 60)[0]).max()
    for library in (autograd, torch)
    for lr in (0.01, 0.05, 0.1, 0.15, 0.2)
]
lab.figure(
    "C1",
    "losses by hand, on our engine and in PyTorch: largest difference, 60 steps, five rates",
    max(apart),
    expected=0,
    tolerance=1e-12,
)

# %% [markdown]
# ## Which rate is fastest, and why · C1
#
# The practical invites you to try rates and leaves it at that. There is an answer, and it takes two lines.
# Put one step into the residual of the next:
#
# $$ r' = 1 - x \cdot w' = 1 - x \cdot (w + 2 \eta r x) = r - 2 \eta r \, x \cdot x
# = (1 - 2 \eta \left|x\right|^2) \, r. $$
#
# Every step multiplies the residual by the same **contraction factor**
# $\rho = 1 - 2 \eta \left|x\right|^2$. So after $t$ steps
#
# $$ L_t = \rho^{2t} L_0, \qquad \text{and here, with } \left|x\right|^2 = 5: \quad \rho = 1 - 10 \eta. $$
#
# | rate | factor | what happens |
# |---|---|---|
# | $0 < \eta < 1/10$ | $0 < \rho < 1$ | falls steadily |
# | $\eta = 1/10$ | $\rho = 0$ | **done in one step: the fastest** |
# | $1/10 < \eta < 1/5$ | $-1 < \rho < 0$ | jumps over the minimum each time, still falls |
# | $\eta = 1/5$ | $\rho = -1$ | jumps from side to side for ever |
# | $\eta > 1/5$ | $\rho < -1$ | diverges |
#
# The 10 is the **curvature**: along $x$, the second derivative. The Hessian is $H = 2 x x^\top$, whose
# eigenvalues are $2\left|x\right|^2 = 10$, once, and 0, four times. Fastest is
# $\eta = 1 / \text{curvature}$ (a Newton step), and $2 / \text{curvature}$ is where convergence ends.

# %%
hessian = 2 * np.outer(x, x)
curvatures = np.linalg.eigvalsh(hessian)
lab.figure("C1", "eigenvalues of the Hessian", curvatures.round(12) + 0.0, expected=[0, 0, 0, 0, 10])


def steps_until(lr, goal=1e-10, most=2000):
    losses = descend(x, lr, most)[0]
    return int(np.argmax(losses <= goal)) if losses.min() <= goal else None


scan = {lr: steps_until(lr) for lr in np.round(np.arange(0.005, 0.2, 0.005), 3)}
fastest = min(scan, key=scan.get)
lab.figure("C1", "the fastest of 39 rates between 0 and 1/5", fastest, expected=0.1)
lab.figure("C1", "steps until it has converged at that rate", scan[fastest], expected=1)

# %% tags=["hide-input"]
figure, left, middle, right = canvas(10.5, 3.3, 3)
for place, lr in enumerate(rates):
    losses = np.maximum(descend(x, lr, 31)[0], 1e-13)
    dash = "--" if lr > 0.1 else "-"  # 0.05 and 0.15 lie on each other
    look = {"marker": MARKERS[place], "markersize": 3.5, "markevery": (place % 3, 3), "linestyle": dash}
    left.plot(losses, color=LIGHT[place], label=f"{lr:g}", **look)
left.set(yscale="log", ylim=(1e-12, 1e9), xlabel="step", ylabel="loss (zero: off the bottom)")
left.legend(title="learning rate", frameon=False, fontsize=8, title_fontsize=8, ncol=3, loc="upper right")

many = np.linspace(0, 0.25, 26)
middle.axhspan(0, 1, color="#e8f3ec", label="converges")
middle.plot(many, abs(1 - 10 * many), color=LIGHT[0], label="|1 - 10 rate|")
measured = [np.sqrt(descend(x, lr, 2)[0][1]) for lr in many]
middle.plot(many, measured, MARKERS[1], color=LIGHT[1], markersize=3.5, label="measured in one step")
middle.set(xlabel="learning rate", ylabel="factor on the residual a step", xlim=(0, 0.25))
middle.legend(frameon=False, fontsize=8, loc="upper center")

right.plot(scan.keys(), scan.values(), MARKERS[1], color=LIGHT[1], markersize=3.5, label="measured")
formula = [1 if lr == 0.1 else np.ceil(np.log(1e-10) / 2 / np.log(abs(1 - 10 * lr))) for lr in scan]
right.plot(scan.keys(), formula, color=LIGHT[0], linewidth=1, label="log goal / log factor")
right.set(yscale="log", xlabel="learning rate", ylabel="steps until loss < 1e-10")
right.legend(frameon=False, fontsize=8, loc="upper center")
show(
    figure, "Loss against step for six rates; the contraction factor, a V with its tip at 0.1; steps needed."
)

# %% [markdown]
# On the logarithmic scale each descent is a straight line: its slope is $2 \log \left|\rho\right|$. At 0.15
# the loss falls exactly as fast as at 0.05, from the other side: 0.5 and -0.5 have the same square. The
# same, seen as hops on the parabola $(1 - t)^2$, where $t = x \cdot w$ is all that the loss sees of $w$:

# %% tags=["hide-input"]
figure, *panels = canvas(10.5, 2.8, 4)
t = np.linspace(-0.35, 2.35, 200)
for axes, lr in zip(panels, (0.03, 0.1, 0.18, 0.205), strict=True):
    places = [0.0]
    for _ in range(9):
        places.append(places[-1] + lr * 10 * (1 - places[-1]))
    places = np.array(places)
    axes.plot(t, (1 - t) ** 2, color="#9aa3ad", linewidth=1.2)
    axes.plot(places, (1 - places) ** 2, color=LIGHT[1], marker="o", markersize=4, linewidth=1)
    axes.set(title=f"rate {lr:g}, factor {1 - 10 * lr:.4g}", xlabel="x · w", ylim=(-0.1, 1.8))
    axes.title.set_fontsize(9)
panels[0].set_ylabel("loss")
show(figure, "Four descents on a parabola: creeping, arriving at once, overshooting, and climbing out.")

# %% [markdown]
# **Where it arrives.** The four flat directions mean that there isn't one minimum but a whole plane of
# them, $x \cdot w = 1$. Every gradient is a multiple of $x$, so descent moves along $x$ only, and reaches
# the minimum that is *nearest to its start*: $w_0 + \frac{1 - x \cdot w_0}{\left|x\right|^2} x$. From zero
# that is 0.2 in each place. From elsewhere it is another one, of the same loss:

# %%
elsewhere = np.array([2.0, -1.0, 0.5, 0.0, 1.0])
arrived = descend(x, 0.03, 300, elsewhere)[1]
nearest = elsewhere + (1 - x @ elsewhere) / (x @ x) * x
print("started at", elsewhere, "and arrived at", arrived.round(4))
lab.figure(
    "C1",
    "distance from the nearest minimum, from another start",
    np.abs(arrived - nearest).max(),
    expected=0,
    tolerance=1e-9,
)

# %% [markdown]
# **Several curvatures.** With more than one sample, or features of different size, the bowl is steeper one
# way than the other. Along the eigenvector of curvature $\lambda$ the error is multiplied by
# $1 - \eta\lambda$, each direction for itself; the slowest decides. With curvatures from $\mu$ to $\Lambda$
# that is
#
# $$ \max(\left|1 - \eta\mu\right|, \left|1 - \eta\Lambda\right|), \quad
# \text{least where } 1 - \eta\mu = \eta\Lambda - 1: \qquad
# \eta^* = \frac{2}{\mu + \Lambda}, \quad \rho^* = \frac{\Lambda - \mu}{\Lambda + \mu}. $$
#
# No rate finishes in one step any more. What counts is the ratio $\Lambda / \mu$, the condition number; to
# bring it down is what scaling the inputs, batch normalisation, momentum and Adam are for.

# %%
low, high = 1.0, 10.0


def bowl_path(lr, steps=25):
    places = [np.array([1.0, 0.6])]
    for _ in range(steps):
        places.append(places[-1] * (1 - lr * np.array([low, high])))
    return np.array(places)


many = np.linspace(0.001, 0.2, 400)
worst = np.maximum(abs(1 - many * low), abs(1 - many * high))
best = many[worst.argmin()]
lab.figure("C1", "the best rate for curvatures 1 and 10, by scanning", best, expected=2 / 11, tolerance=5e-4)
lab.figure("C1", "the factor there", worst.min(), expected=9 / 11, tolerance=5e-3)

# %% tags=["hide-input"]
figure, left, right = canvas(10, 3.2, 2)
left.plot(many, abs(1 - many * low), color=LIGHT[0], linestyle="--", label="curvature 1")
left.plot(many, abs(1 - many * high), color=LIGHT[2], linestyle=":", label="curvature 10")
left.plot(many, worst, color=LIGHT[1], label="the slower of both")
left.axvline(best, color="#888888", linewidth=0.8)
left.set(xlabel="learning rate", ylabel="factor a step", ylim=(0, 1.05))
left.legend(frameon=False, fontsize=8, loc="lower left")
a, b = np.meshgrid(np.linspace(-0.5, 1.1, 80), np.linspace(-0.7, 0.7, 80))
right.contour(a, b, low * a**2 / 2 + high * b**2 / 2, levels=8, colors="#c3c9cf", linewidths=0.8)
for place, lr in enumerate((0.05, 2 / 11, 0.195)):
    path = bowl_path(lr)
    right.plot(
        path[:, 0],
        path[:, 1],
        color=LIGHT[place],
        marker=MARKERS[place],
        markersize=3,
        linewidth=0.9,
        label=f"rate {lr:.3f}",
    )
right.set(xlabel="along curvature 1", ylabel="along curvature 10")
right.legend(frameon=False, fontsize=8)
show(figure, "Factors of two curvatures against the rate, crossing at 2/11; three paths in a narrow bowl.")

# %% [markdown]
# **Exercise c1.** Write `gradient(w, x)`, the gradient of $(1 - x \cdot w)^2$ for any $x$.
#
# **Exercise c1b.** Write `fastest(x)`: the learning rate at which descent on $(1 - x \cdot w)^2$ needs one
# step, whatever $x$ is and however long.
#
# **Exercise c1c.** Write `limit(x)`: the rate from which on the loss doesn't fall any more.
#
# **Exercise c1d.** Write `best(curvatures)`: the rate whose slowest direction is fastest.
#
# A first try at c1b, with the number of this lab's example. The check says what is wrong with it:


# %% tags=["exercise"]
def fastest_rate(x):
    return 0.1


lessons.check("c1b", fastest_rate)

# %% tags=["exercise"]
# def gradient(w, x):
#     return ...
#
# lessons.check("c1", gradient)
# lessons.check("c1b", lambda x: ...)
# lessons.check("c1c", lambda x: ...)
# lessons.check("c1d", lambda curvatures: ...)

# %% [markdown]
# ## What `loss.backward()` does, by hand · C2
#
# A network small enough for paper: two inputs, two hidden units with tanh, one logistic output, one sample
# of class $y = 1$.
#
# $$ o = W_1 x + b_1, \quad h = \tanh o, \quad z = w_2 \cdot h + b_2, \quad a = \frac{1}{1 + e^{-z}}, \quad
# L = -y \log a - (1 - y) \log(1 - a). $$
#
# Back-propagation is the chain rule from the last line to the first, each derivative used again by the one
# before it. Two facts are needed: $a' = a (1 - a)$ and $\tanh' = 1 - \tanh^2$.
#
# $$ \frac{\partial L}{\partial z} = \Bigl( -\frac{y}{a} + \frac{1 - y}{1 - a} \Bigr) \, a (1 - a)
# = -y (1 - a) + (1 - y) a = a - y. $$
#
# $$ \frac{\partial L}{\partial w_2} = (a - y) \, h, \qquad \frac{\partial L}{\partial b_2} = a - y, \qquad
# \frac{\partial L}{\partial h} = (a - y) \, w_2, $$
#
# $$ \frac{\partial L}{\partial o_j} = \frac{\partial L}{\partial h_j} (1 - h_j^2), \qquad
# \frac{\partial L}{\partial W_1} = \frac{\partial L}{\partial o} \, x^\top, \qquad
# \frac{\partial L}{\partial b_1} = \frac{\partial L}{\partial o}. $$

# %%
values = {
    "W1": np.array([[0.5, -0.3], [0.2, 0.4]]),
    "b1": np.array([0.3, -0.1]),
    "w2": np.array([0.7, -0.6]),
    "b2": np.array(0.2),
}
sample = np.array([1.0, 2.0])

h = np.tanh(values["W1"] @ sample + values["b1"])  # forward: keep what backward will need
a = 1 / (1 + np.exp(-(values["w2"] @ h + values["b2"])))
dz = a - 1  # backward: y = 1
do = dz * values["w2"] * (1 - h**2)
by_hand = {"W1": np.outer(do, sample), "b1": do, "w2": dz * h, "b2": dz}

# %% [markdown]
# Now the engine. The forward pass writes down every operation and what its derivative will need; nobody
# wrote a backward pass. `draw` shows what was written down:

# %%
given = autograd.tensor(sample)
W1, b1, w2, b2 = (autograd.tensor(value, requires_grad=True) for value in values.values())
o = W1 @ given + b1
hidden = autograd.tanh(o)
z = w2 @ hidden + b2
out = autograd.sigmoid(z)
loss = -autograd.log(out)
display(autograd.draw(loss))

# %% [markdown]
# `explain` walks it as `backward()` does, from the loss to the leaves, and says at each node what arrives,
# what was saved, and what is sent on. Compare it with your derivation line by line:
#
# | on paper | node | what it had saved |
# |---|---|---|
# | $-1/a$ | LogBackward, NegBackward | $a$ |
# | times $a(1 - a)$: together $a - y$ | SigmoidBackward | $a$ |
# | $\partial L / \partial b_2 = a - y$ | AddBackward: passes it on as it is | nothing |
# | $(a - y)\,h$ and $(a - y)\,w_2$ | MatmulBackward: to each factor, the other one | $w_2$, $h$ |
# | times $1 - h^2$ | TanhBackward | $h$ |
# | $\partial L/\partial o \; x^\top$ | MatmulBackward | $x$ |

# %%
print(autograd.explain(loss))

# %%
loss.backward()
twins = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
hidden_twin = torch.tanh(twins["W1"] @ torch.tensor(sample) + twins["b1"])
out_twin = torch.sigmoid(twins["w2"] @ hidden_twin + twins["b2"])
loss_twin = -torch.log(out_twin)
loss_twin.backward(retain_graph=True)

# %% tags=["hide-input"]
table(
    ["parameter", "by hand", "our engine", "PyTorch"],
    *(
        [
            name,
            *(
                np.array2string(np.asarray(g), precision=4)
                for g in (by_hand[name], leaf.grad.numpy(), twins[name].grad.numpy())
            ),
        ]
        for name, leaf in (("W1", W1), ("b1", b1), ("w2", w2), ("b2", b2))
    ),
)

# %%
apart = [
    max(
        np.abs(leaf.grad.numpy() - by_hand[name]).max(),
        np.abs(twins[name].grad.numpy() - by_hand[name]).max(),
    )
    for name, leaf in (("W1", W1), ("b1", b1), ("w2", w2), ("b2", b2))
]
lab.figure(
    "C2",
    "gradients by hand, on our engine and in PyTorch: largest difference",
    max(apart),
    expected=0,
    tolerance=1e-15,
)

# %% [markdown]
# PyTorch's graph is the same one, and can be walked from the loss: each node knows the nodes before it.
# `AccumulateGrad` is a leaf: there the gradient is *added* to `.grad`.


# %%
def walk(node, depth=0):
    if node is not None:
        print("    " * depth + type(node).__name__)
        for before, _ in node.next_functions:
            walk(before, depth + 1)


walk(loss_twin.grad_fn)

# %% [markdown]
# Three things that `backward()` does **not** do:
#
# - It makes no step. `optimizer.step()` does, and reads `.grad`.
# - It doesn't replace `.grad`, it adds to it: hence `optimizer.zero_grad()` in each round of a training
#   loop.
# - It doesn't keep the graph: what was saved is freed, and a second `backward()` is an error unless
#   `retain_graph=True`.

# %%
before = twins["w2"].grad.clone()
loss_twin.backward()  # once more, without zero_grad
lab.figure(
    "C2", "gradient after a second backward(), over that of the first", twins["w2"].grad / before, expected=2
)
try:
    loss_twin.backward()
except RuntimeError as error:
    print("and a third time:", str(error).split(".")[0])

# %% [markdown]
# ### One letter swapped: $(y - a)$ for $(a - y)$
#
# The practical's gradient of a logistic neuron is written with $(y - a)$ where it must be $(a - y)$. By
# hand that is quickly done, and the loss then goes up. Worse is when it *doesn't* go up: a plus sign in the
# update hides a minus sign in the gradient, until someone hands that gradient to an optimiser, which
# subtracts. Three trainings of one neuron:

# %%
rng = np.random.default_rng(0)
points = rng.standard_normal((200, 2))
labels = (points @ [1.5, -1.0] + 0.3 * rng.standard_normal(200) > 0).astype(float)
start = {"w": np.zeros(2), "b": np.array(0.0)}


def neuron_loss(params, x, y):
    z = x @ params["w"] + params["b"]
    return float(np.mean(np.logaddexp(0, z) - y * z))


def swapped_gradient(params, x, y):
    a = 1 / (1 + np.exp(-(x @ params["w"] + params["b"])))
    return {"w": x.T @ (y - a) / len(x), "b": np.mean(y - a)}


def right_gradient(params, x, y):
    return {name: -g for name, g in swapped_gradient(params, x, y).items()}


def train_neuron(gradient, sign, steps=60, lr=0.5):
    params, losses = dict(start), []
    for _ in range(steps):
        losses.append(neuron_loss(params, points, labels))
        g = gradient(params, points, labels)
        params = {name: value + sign * lr * g[name] for name, value in params.items()}
    return losses


# %% tags=["hide-input"]
figure, axes = canvas(6.4, 3)
for place, (gradient, sign, name) in enumerate(
    (
        (right_gradient, -1, "(a - y), subtracted"),
        (swapped_gradient, -1, "(y - a), subtracted"),
        (swapped_gradient, +1, "(y - a), added: hidden"),
    )
):
    axes.plot(
        train_neuron(gradient, sign),
        color=LIGHT[place],
        linestyle=["-", "-", "--"][place],
        marker=MARKERS[place],
        markersize=4,
        markevery=(4 * place, 10),
        label=name,
    )
axes.set(yscale="log", xlabel="step", ylabel="loss (nats)")
axes.legend(frameon=False, fontsize=8)
show(
    figure,
    "Loss of one neuron: falls with the right gradient, climbs with the swapped one, falls where added.",
)

# %% [markdown]
# The curve shows that something is wrong with the second. The third it cannot tell from the first. Holding
# the gradient against finite differences finds both, and says which mistake it is:

# %%
checked = nablab.gradcheck(
    neuron_loss, swapped_gradient, {"w": np.array([0.3, -0.2]), "b": np.array(0.1)}, points, labels
)
display(checked)
lab.figure(
    "C2",
    "(y - a): what gradcheck says it is multiplied by",
    checked["w"].cause.factor,
    expected=-1,
    tolerance=1e-6,
)

# %% [markdown]
# **Exercise c2.** The network above for many samples: write `gradient(params, x, y)` for inputs `x` (N, D),
# labels `y` (N,) of 0 and 1, `params` with `W1` (D, H), `b1` (H,), `w2` (H,), `b2` (a number), tanh, one
# logistic output and the *mean* cross entropy. Return a dictionary of four arrays. (With samples in rows,
# $o = x W_1 + b_1$.)

# %% tags=["exercise"]
# def gradient(params, x, y):
#     return {"W1": ..., "b1": ..., "w2": ..., "b2": ...}
#
# lessons.check("c2", gradient)

# %% [markdown]
# ## The digits
#
# From here on the lab needs images. The practical uses MNIST: 60,000 handwritten digits to learn from and
# 10,000 to be tested with. What is on this machine may be less; every number below says what it was found
# on, and the practical's figures are held only where all of MNIST is here and `full` was asked for.


# %%
def images():
    """The data, what to call it, and which ranges hold for it."""
    try:
        found = nablab.load("mnist", progress=False)
    except nablab.UserError:
        found = nablab.load("fashion-mnist", progress=False)
    whole = found.name == "mnist" and len(found.x_train) == 60_000
    if lab.full and whole:
        return found, "MNIST, 60,000 + 10,000", "mnist"
    kept = -(-len(found.x_train) // 4000), -(-len(found.x_test) // 1000)  # every k-th image is enough
    arrays = (
        found.x_train[:: kept[0]],
        found.y_train[:: kept[0]],
        found.x_test[:: kept[1]],
        found.y_test[:: kept[1]],
    )
    small = nablab.make_dataset(found.name, *arrays, classes=found.classes, source=found.source)
    sizes = f"{len(arrays[0]):,} + {len(arrays[2]):,}"
    if found.name == "mnist":
        return small, f"{sizes} digits of MNIST", "digits"
    return small, f"a stand-in: Fashion-MNIST, {sizes} images", "stand-in"


data, on, kind = images()
x_train = data.x_train.reshape(len(data.x_train), -1).astype(np.float32) / 255
x_test = data.x_test.reshape(len(data.x_test), -1).astype(np.float32) / 255
y_train, y_test = data.y_train, data.y_test
print(f"on {on}; pixels from 0 to 1, {x_train.shape[1]} of them")

# %% tags=["hide-input"]
figure, *panels = canvas(10, 1.5, 10)
for k, axes in enumerate(panels):
    axes.imshow(data.x_train[np.flatnonzero(y_train == k)[7], 0], cmap="gray_r")
    axes.set_axis_off()
    axes.set_title(data.classes[k], fontsize=8)
show(figure, "One image of each class.")

# %% [markdown]
# ## A split that is the same each time · C3
#
# Validation images choose: when to stop, which rate, which network. They must be the same in every run, or
# two runs are not comparable; and worse, a run that goes on from an earlier one's weights is judged on
# images that those weights have learned. Here are five ways to hold out a fifth, as one meets them:


# %%
share = 0.2
clock = iter(range(1000))  # stands for the time of day: this page has to be the same each time


def without_a_seed(x, y, before):
    torch.manual_seed(next(clock))
    before()
    return torch.randperm(len(y)).numpy() < share * len(y)


def seed_at_the_top(x, y, before):
    torch.manual_seed(42)
    before()  # whatever else draws random numbers before the split
    return torch.randperm(len(y)).numpy() < share * len(y)


def own_generator(x, y, before):
    torch.manual_seed(next(clock))
    before()
    return torch.randperm(len(y), generator=torch.Generator().manual_seed(42)).numpy() < share * len(y)


def stratified(x, y, before):
    before()
    _, held = train_test_split(np.arange(len(y)), test_size=share, stratify=y, random_state=42)
    return np.isin(np.arange(len(y)), held)


def by_the_image_itself(x, y, before):
    """Each image decides for itself: its SHA-256, read as a number in [0, 1), is below the share."""
    before()
    digests = (sha256(image.tobytes()).digest()[:8] for image in x)
    return np.array([int.from_bytes(digest, "big") / 2**64 < share for digest in digests])


# %% [markdown]
# Four things happen to a project: it is run again; a network is now made before the split; the files are
# listed in another order; images are added. How many of the held-out images are held out again?


# %%
def nothing():
    pass


def a_network():
    nn.Linear(784, 10)


order = np.random.default_rng(0).permutation(len(y_train))
pixels, known = data.x_train[order], y_train[order]  # rows often come sorted by class; these don't


def again(split):
    first = split(pixels, known, nothing)
    second = split(pixels, known, nothing)
    with_network = split(pixels, known, a_network)
    turned = split(pixels[::-1], known[::-1], nothing)[::-1]
    fewer = split(pixels[:-400], known[:-400], nothing)
    kept = [100 * (first & other).sum() / first.sum() for other in (second, with_network, turned)]
    kept.append(100 * (fewer & first[:-400]).sum() / fewer.sum())
    counts = np.bincount(known[first], minlength=10)
    return kept, counts


ways = {
    "no seed": without_a_seed,
    "one seed at the top": seed_at_the_top,
    "a generator of its own": own_generator,
    "scikit-learn, stratified, random_state": stratified,
    "the hash of the image": by_the_image_itself,
}
found = {name: again(split) for name, split in ways.items()}

# %% tags=["hide-input"]
table(
    [
        "held out again, in %",
        "run again",
        "a network made first",
        "another order",
        "400 more images",
        "of each class",
    ],
    *(
        [name, *(f"{k:.0f}" for k in kept), f"{counts.min()} to {counts.max()}"]
        for name, (kept, counts) in found.items()
    ),
)

# %%
lab.figure(
    "C3",
    "no seed: validation images that another run has trained on, in %",
    100 - found["no seed"][0][0],
    between=(75, 85),
    on=on,
    note="with a fifth held out, four in five",
)
for name in ("a generator of its own", "scikit-learn, stratified, random_state"):
    lab.figure("C3", f"{name}: held out again in another run, in %", found[name][0][:2], expected=100, on=on)
lab.figure(
    "C3",
    "the hash of the image: held out again, whatever happens, in %",
    found["the hash of the image"][0],
    expected=100,
    on=on,
)

# %% tags=["hide-input"]
figure, axes = canvas(7, 2.8)
places = np.arange(10)
for shift, (name, colour) in enumerate(
    (
        ("a generator of its own", 0),
        ("the hash of the image", 2),
        ("scikit-learn, stratified, random_state", 1),
    )
):
    axes.bar(
        places + 0.27 * (shift - 1), found[name][1], width=0.25, color=LIGHT[colour], label=name.split(",")[0]
    )
axes.axhline(share * len(known) / 10, color="#333333", linewidth=0.9, linestyle="--")
axes.set(xlabel="class", ylabel="images held out", xticks=places, ylim=(0, 0.32 * len(known) / 10))
axes.legend(frameon=False, fontsize=8, ncol=3, loc="upper center")
show(figure, "Images held out of each class: only the stratified split takes the same share of every class.")

# %% [markdown]
# One seed at the top is what most notebooks have, and it breaks as soon as a cell above draws a number. A
# generator of the split's own doesn't. Stratifying takes the same share of each class. The hash is the only
# one that survives new files; for that its share is only nearly a fifth, and copies of an image stay
# together.
#
# `nablab` keeps the seed of the split (`split_seed`) apart from the seed of the run (`seed`), draws one
# stratified order of all images from it, and cuts everything from that order: so the 1 % are part of the
# 10 %, and an image that validates at one size never trains at another.
#
# **Exercise c3.** Write `split(y, share, seed)` that returns two arrays of row numbers, to train on and to
# validate with: the same each time, whatever else draws random numbers; every row in one of them; each
# class in its share.

# %% tags=["exercise"]
# def split(y, share, seed):
#     return train_rows, validation_rows
#
# lessons.check("c3", split)

# %% [markdown]
# ## Softmax regression, derived · C4
#
# Ten classes, one linear layer: scores $z = x W + b$, and *multinomial logistic regression* reads them as
# probabilities
#
# $$ p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}, \qquad L = -\log p_y = \log \sum_j e^{z_j} - z_y . $$
#
# The second form is the one to differentiate, and to compute (with the largest score taken out first,
# nothing overflows):
#
# $$ \frac{\partial L}{\partial z_k} = \frac{e^{z_k}}{\sum_j e^{z_j}} - [k = y] = p_k - [k = y]. $$
#
# That is $(a - y)$ again, once a class. For a batch of $N$ with rows $x_n$, and $Y$ the labels as rows with
# one 1:
#
# $$ \frac{\partial L}{\partial W} = \frac{1}{N} X^\top (P - Y), \qquad
# \frac{\partial L}{\partial b} = \frac{1}{N} \sum_n (P - Y)_n. $$


# %%
def probabilities(params, x):
    z = x @ params["W"] + params["b"]
    z = z - z.max(axis=1, keepdims=True)
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def data_loss(params, x, y):
    z = x @ params["W"] + params["b"]
    top = z.max(axis=1)
    return float(np.mean(top + np.log(np.exp(z - top[:, None]).sum(axis=1)) - z[np.arange(len(y)), y]))


def gradient(params, x, y):
    error = probabilities(params, x)
    error[np.arange(len(y)), y] -= 1
    return {"W": x.T @ error / len(y), "b": error.mean(axis=0)}


rng = np.random.default_rng(1)
point = {"W": rng.standard_normal((12, 10)), "b": rng.standard_normal(10)}
checked = nablab.gradcheck(data_loss, gradient, point, rng.standard_normal((30, 12)), np.arange(30) % 10)
display(checked)
lab.figure("C4", "the gradient agrees with finite differences", checked.right, expected=True)

# %% [markdown]
# ### SGD, three times the same
#
# Stochastic gradient descent takes the gradient of 64 images at a time, and steps at once. Two epochs, on
# the same batches: by hand, on our engine, and in PyTorch with `torch.optim`.


# %%
def batches(n, epochs, size=64, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        shuffled = rng.permutation(n)
        for first in range(0, n, size):
            yield shuffled[first : first + size]


def zeros(dtype=np.float32):
    return {"W": np.zeros((784, 10), dtype), "b": np.zeros(10, dtype)}


def sgd_by_hand(x, y, lr=0.01, epochs=2):
    params = zeros(x.dtype)
    for rows in batches(len(y), epochs):
        g = gradient(params, x[rows], y[rows])
        params = {name: value - lr * g[name] for name, value in params.items()}
    return params["W"]


def sgd_with(library, optimiser, x, y, lr=0.01, epochs=2):
    W = library.zeros(784, 10, dtype=library.float64, requires_grad=True)
    b = library.zeros(10, dtype=library.float64, requires_grad=True)
    step = optimiser([W, b], lr=lr)
    for rows in batches(len(y), epochs):
        step.zero_grad()
        scores = library.tensor(x[rows]) @ W + b
        library.nn.functional.cross_entropy(scores, library.tensor(y[rows])).backward()
        step.step()
    return W.detach().numpy()


some = slice(None, None, len(y_train) // 1000)  # a thousand images are enough to see that all three agree
double = x_train[some].astype(np.float64)
hand = sgd_by_hand(double, y_train[some])
engine = sgd_with(autograd, autograd.optim.SGD, double, y_train[some])
pytorch = sgd_with(torch, torch.optim.SGD, double, y_train[some])
lab.figure(
    "C4",
    "weights after two epochs of SGD, by hand, on our engine and in PyTorch: largest difference",
    max(np.abs(hand - engine).max(), np.abs(hand - pytorch).max()),
    expected=0,
    tolerance=1e-12,
    on=on,
)

# %% [markdown]
# `nablab.ladder` does this with any network: the same weights, the same batches, every way of taking the
# step, and how far they are apart. A loss of your own is one rung more. This one has the sign of $(y - a)$:

# %%
rungs = nablab.ladder(
    "K", data, steps=2, rungs={"with (y - a)": lambda z, y: -functional.cross_entropy(z, y)}
)
display(rungs)
lab.figure("C4", "all rungs agree, one of which has the sign of (y - a)", rungs.agrees, expected=False, on=on)

# %% [markdown]
# ### How large may a step be here? The curvature, measured
#
# The first section knew its curvature: it was 10. Nobody writes down the Hessian of 7,850 weights, but its
# largest eigenvalue can be had without it. PyTorch differentiates the gradient along a direction $v$, which
# is $H v$; doing so again and again turns $v$ into the direction of largest curvature (power iteration),
# and $\left|H v\right|$ into that curvature.
#
# Here there is a second way to know it, as a check. At $W = 0$ all $p_k = 1/10$. From
# $\partial p_k / \partial z_j = p_k ([k = j] - p_j)$ the Hessian by the scores is the matrix with
# $p_k([k=j] - p_j)$ in it, whose largest eigenvalue is then $1/10$; by the weights it becomes, with the
# inputs $x$ on both sides, $\Lambda = \frac{1}{10} \lambda_{\max}(X^\top X / N)$.


# %%
def largest_curvature(x, y, rounds=60):
    W = torch.zeros(784, 10, dtype=torch.float64, requires_grad=True)
    loss = functional.cross_entropy(torch.tensor(x) @ W, torch.tensor(y))
    (slope,) = torch.autograd.grad(loss, W, create_graph=True)
    v = torch.tensor(np.random.default_rng(0).standard_normal((784, 10)))
    for _ in range(rounds):
        (v,) = torch.autograd.grad(slope, W, grad_outputs=v / v.norm(), retain_graph=True)
    return float(v.norm())


curvature = largest_curvature(double, y_train[some])
derived = np.linalg.eigvalsh(double.T @ double / len(double))[-1] / 10
print(f"curvature {curvature:.3f}: fastest about {1 / curvature:.2f}, limit {2 / curvature:.2f}")
lab.figure(
    "C1",
    "largest curvature of softmax regression at W = 0, measured over derived",
    curvature / derived,
    expected=1,
    tolerance=1e-3,
    on=on,
)


def full_batch(lr, steps=60):
    params, losses = {"W": np.zeros((784, 10)), "b": np.zeros(10)}, []
    for _ in range(steps):
        losses.append(data_loss(params, double, y_train[some]))
        params["W"] = params["W"] - lr * gradient(params, double, y_train[some])["W"]
    return np.array(losses)


figure, axes = canvas(7, 3)
runs = {times: full_batch(times / curvature) for times in (0.2, 1.0, 1.9, 4.0)}

# %% tags=["hide-input"]
for place, (times, losses) in enumerate(runs.items()):
    look = {"color": LIGHT[place], "marker": MARKERS[place], "markersize": 3, "markevery": 4}
    axes.plot(losses, label=f"{times:g} / curvature = {times / curvature:.2f}", **look)
axes.set(xlabel="step on all images at once", ylabel="loss (nats)", ylim=(0, 2.6))
axes.legend(title="learning rate", frameon=False, fontsize=8, title_fontsize=8)
show(
    figure,
    "Full-batch descent at four rates: below twice one over the curvature it falls, at four times it jumps.",
)

# %%
rises = [int((np.diff(losses) > 0).sum()) for losses in runs.values()]
lab.figure("C1", "steps that went up, at 0.2, 1 and 1.9 over the curvature", rises[:3], expected=0, on=on)
lab.figure("C1", "steps that went up, of 59, at 4 over the curvature", rises[3], between=(1, 59), on=on)

# %% [markdown]
# Below the limit no step goes up; past it the loss jumps. It doesn't fly off to infinity as the parabola
# did: this loss is curved less where its probabilities are sure, so it settles there, and even ends lowest.
# On a loss that is no parabola the limit is that of *these* first steps. In networks the curvature moves
# with the rate, up to the limit and to and fro about it (Cohen et al. 2021, "the edge of stability"). So:
# compute what can be computed, then try.
#
# ### Two epochs, or how many steps?
#
# The practical trains for two epochs and reports 83 %. It is a figure of MNIST, where two epochs of batches
# of 64 are 1,876 steps. A smaller set makes fewer steps in two epochs, and is at another place of the same
# curve. Accuracy on the test images against *steps*, for three rates:


# %%
def accuracy(params, x, y):
    return 100 * float(np.mean((x @ params["W"] + params["b"]).argmax(axis=1) == y))


def sgd(lr, steps, penalty=0.0, every=25, seed=0):
    """Training with the penalty * sum w^2; what was measured every so many steps, and the end."""
    params, told = zeros(), []
    epochs = -(-steps * 64 // len(y_train)) + 1
    for step, rows in zip(range(steps + 1), batches(len(y_train), epochs, seed=seed), strict=False):
        if step % every == 0 or step == steps:
            norm = float(np.linalg.norm(params["W"]))
            measured = accuracy(params, x_test, y_test), norm, data_loss(params, x_test, y_test)
            told.append((step, *measured))
        if step == steps:
            break
        g = gradient(params, x_train[rows], y_train[rows])
        g["W"] += 2 * penalty * params["W"]
        params = {name: value - np.float32(lr) * g[name] for name, value in params.items()}
    return params, np.array(told)


two_epochs = 2 * -(-len(y_train) // 64)
as_on_mnist = 1876
figure, axes = canvas(7.4, 3.4)
after = {}
for place, lr in enumerate((0.1, 0.01, 0.001)):
    trained, told = sgd(lr, as_on_mnist)
    after[lr] = told[-1, 1]
    axes.plot(
        told[1:, 0],
        told[1:, 1],
        color=LIGHT[place],
        marker=MARKERS[place],
        markersize=3,
        markevery=6,
        label=f"{lr:g}",
    )

# %% tags=["hide-input"]
axes.axhline(83, color="#333333", linewidth=0.9, linestyle="--", label="the practical, on MNIST")
for steps, side, words in (
    (two_epochs, "left", " two epochs here"),
    (as_on_mnist, "right", "two epochs of MNIST "),
):
    axes.axvline(steps, color="#888888", linewidth=0.8)
    axes.text(steps, 51, words, ha=side, fontsize=8)
axes.set(xlabel="steps of 64 images", ylabel="test accuracy in %", ylim=(50, 95))
axes.legend(title="learning rate", frameon=False, fontsize=8, title_fontsize=8, loc="lower center")
show(
    figure, "Test accuracy against steps for three rates; two epochs here and two epochs of MNIST are marked."
)

# %%
seeds = (0, 1, 2)
reached = [accuracy(sgd(0.01, two_epochs, seed=seed)[0], x_test, y_test) for seed in seeds]
RANGES = {"mnist": (84, 91), "digits": (74, 83), "stand-in": (60, 74)}
lab.figure(
    "C4",
    "softmax regression, SGD 0.01, two epochs, three orders: test accuracy in %",
    reached,
    between=RANGES[kind],
    published="83 % (MNIST)",
    on=on,
)
RANGES = {"mnist": (78, 86), "digits": (76, 85), "stand-in": (60, 76)}
lab.figure(
    "C4",
    "SGD 0.001, as many steps as two epochs of MNIST: test accuracy in %",
    after[0.001],
    between=RANGES[kind],
    published="83 % (MNIST)",
    on=on,
    note="the practical's rate is not known to us",
)

# %% [markdown]
# So 83 % says how far a training got, not what a linear model can do: with a hundred times the rate it
# passes it early and goes on. A linear model alone has no accuracy; a linear model *and its recipe* have
# one.

# %% [markdown]
# ## The L2 penalty, and its three conventions · C4
#
# Large weights are suspicious: they make much of small differences. The penalty adds their squares to the
# loss. But there are three ways to write it, and with the same $\lambda$ they are not the same training:
#
# | written | the gradient gets | $w$ after one step of SGD |
# |---|---|---|
# | $L + \lambda \sum w^2$, the practical | $2 \lambda w$ | $(1 - 2\eta\lambda) w - \eta \nabla L$ |
# | $L + \frac12 \lambda \sum w^2$, most lectures | $\lambda w$ | $(1 - \eta\lambda) w - \eta \nabla L$ |
# | `weight_decay=λ` of an optimiser | $\lambda w$ | as the line above |
#
# The derivation is one line, $\frac{d}{dw} \lambda w^2 = 2 \lambda w$; the trap is copying a number from
# one text to another. Read each step as it is written: *first shrink every weight by a factor, then go
# downhill*. To turn the practical's $\lambda$ into a weight decay, double it:


# %%
def sgd_l2(added=None, weight_decay=0.0, on_bias=False, optimiser=torch.optim.SGD, lr=0.05):
    W = torch.zeros(784, 10, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(10, dtype=torch.float64, requires_grad=True)
    groups = [
        {"params": [W], "weight_decay": weight_decay},
        {"params": [b], "weight_decay": weight_decay if on_bias else 0.0},
    ]
    step = optimiser(groups, lr=lr)
    x, y = torch.tensor(double), torch.tensor(y_train[some])
    for rows in batches(len(y), 6):
        step.zero_grad()
        loss = functional.cross_entropy(x[rows] @ W + b, y[rows])
        (loss if added is None else loss + added(W)).backward()
        step.step()
    return W.detach().numpy(), b.detach().numpy()


ways = {
    "λ Σw², λ = 0.05": sgd_l2(lambda W: 0.05 * (W**2).sum()),
    "½ λ Σw², λ = 0.1": sgd_l2(lambda W: 0.5 * 0.1 * (W**2).sum()),
    "weight_decay = 0.1": sgd_l2(weight_decay=0.1),
    "weight_decay = 0.1, biases too": sgd_l2(weight_decay=0.1, on_bias=True),
    "weight_decay = 0.05 (the number copied)": sgd_l2(weight_decay=0.05),
    "no penalty": sgd_l2(),
}
first = ways["λ Σw², λ = 0.05"]

# %% tags=["hide-input"]
table(
    ["convention", "|W|", "|b|", "weights apart from the first", "biases apart"],
    *(
        [
            name,
            f"{np.linalg.norm(W):.4f}",
            f"{np.linalg.norm(b):.4f}",
            f"{np.abs(W - first[0]).max():.1e}",
            f"{np.abs(b - first[1]).max():.1e}",
        ]
        for name, (W, b) in ways.items()
    ),
)

# %%
three = [np.abs(ways[name][0] - first[0]).max() for name in list(ways)[1:3]]
lab.figure(
    "C4",
    "λΣw² at 0.05, ½λΣw² at 0.1, weight decay 0.1: weights apart, at most",
    max(three),
    expected=0,
    tolerance=1e-12,
    on=on,
)
lab.figure(
    "C4",
    "the same number 0.05 in both conventions: weights apart",
    np.abs(ways["weight_decay = 0.05 (the number copied)"][0] - first[0]).max(),
    between=(1e-3, 1),
    on=on,
)

# %% [markdown]
# Two more differences hide in the word *weight decay*. An optimiser decays all that it is given, biases
# included, unless they are in a group of their own (fourth line). And Adam divides the gradient by its
# recent size, the penalty's part of it with it: so `Adam(weight_decay=λ)` is no longer "shrink by a
# factor". AdamW shrinks apart from the gradient (Loshchilov and Hutter 2019). For plain SGD both are the
# same thing; for Adam they are not:

# %%
coupled = sgd_l2(weight_decay=0.1, optimiser=torch.optim.Adam, lr=0.003)[0]
decoupled = sgd_l2(weight_decay=0.1, optimiser=torch.optim.AdamW, lr=0.003)[0]
print(f"|W| with Adam {np.linalg.norm(coupled):.3f}, with AdamW {np.linalg.norm(decoupled):.3f}")
lab.figure(
    "C4",
    "Adam and AdamW with one weight decay: |W| of the second over the first",
    np.linalg.norm(decoupled) / np.linalg.norm(coupled),
    between=(1.2, 20),
    on=on,
)

# %% [markdown]
# ### What it does to a classifier
#
# Each column of $W$ is an image: what the class looks for (blue) and what speaks against it (red). With and
# without the penalty, after as many steps as two epochs of MNIST at the rate 0.1:

# %%
strengths = (0.0, 0.005, 0.05)
fitted = {penalty: sgd(0.1, as_on_mnist, penalty) for penalty in strengths}

# %% tags=["hide-input"]
table(
    ["λ (of λ Σw²)", "|W|", "train accuracy in %", "test accuracy in %", "train loss", "test loss"],
    *(
        [
            penalty,
            f"{np.linalg.norm(params['W']):.2f}",
            f"{accuracy(params, x_train, y_train):.1f}",
            f"{accuracy(params, x_test, y_test):.1f}",
            f"{data_loss(params, x_train, y_train):.3f}",
            f"{data_loss(params, x_test, y_test):.3f}",
        ]
        for penalty, (params, _) in fitted.items()
    ),
)
figure = Figure(figsize=(10, 3.4), facecolor="white", layout="constrained")
grid = figure.subplots(3, 10)
for penalty, row in zip(strengths, grid, strict=True):
    W = fitted[penalty][0]["W"]
    for k, axes in enumerate(row):
        axes.imshow(W[:, k].reshape(28, 28), cmap="RdBu", vmin=-abs(W).max(), vmax=abs(W).max())
        axes.set(xticks=[], yticks=[])
    row[0].set_ylabel(f"λ = {penalty:g}", fontsize=8)
show(
    figure,
    "The ten columns of W as images, without a penalty, with a small one and a large one: ever smoother.",
)

# %%
norms = [np.linalg.norm(fitted[penalty][0]["W"]) for penalty in strengths]
gaps = [data_loss(p, x_test, y_test) - data_loss(p, x_train, y_train) for p, _ in fitted.values()]
lab.figure(
    "C4", "|W| without a penalty over |W| with λ = 0.05", norms[0] / norms[2], between=(1.5, 20), on=on
)
lab.figure(
    "C4",
    "gap of test to train loss, without a penalty minus with λ = 0.05",
    gaps[0] - gaps[2],
    between=(0, 1),
    on=on,
)

# %% [markdown]
# Read the table before you believe in penalties. The penalty does what was derived: smaller weights,
# smoother images, a smaller gap between train and test. But a smaller gap is not a better classifier: here
# the test loss rises with it, because a linear model with so many images is in no danger of learning them
# by heart. A penalty pays where the gap is what costs. After two epochs it can't be seen at all:

# %%
short = {penalty: sgd(0.01, two_epochs, penalty)[0] for penalty in (0.0, 0.005)}
both = [accuracy(params, x_test, y_test) for params in short.values()]
lab.figure(
    "C4",
    "two epochs with and without the penalty (λ = 0.005): test accuracy in % apart",
    abs(both[0] - both[1]),
    between=(0, 1.5),
    published="83 % (MNIST)",
    on=on,
)

# %% [markdown]
# ### A weight that must not be positive?
#
# The practical's text asks for a penalty weight of at most zero. With $\lambda < 0$ the factor of a step,
# $1 - 2\eta\lambda$, is *above* one: every weight grows by interest and compound interest, and the
# objective has no minimum at all. It is the mirrored sign of $(y - a)$, in another place:

# %%
figure, left, right = canvas(10, 3, 2)
grown = {}
for place, penalty in enumerate((0.02, 0.0, -0.02)):
    params, told = sgd(0.1, as_on_mnist, penalty)
    grown[penalty] = told[-1, 2]
    look = {
        "color": LIGHT[place],
        "marker": MARKERS[place],
        "markersize": 3,
        "markevery": 8,
        "label": f"λ = {penalty:g}",
    }
    left.plot(told[1:, 0], told[1:, 2], **look)
    right.plot(told[1:, 0], told[1:, 3], **look)
left.set(yscale="log", xlabel="step", ylabel="|W|")
right.set(yscale="log", xlabel="step", ylabel="test loss without the penalty (nats)")
left.legend(frameon=False, fontsize=8)
show(figure, "With a negative penalty weight the norm of W and the loss grow exponentially.")
lab.figure(
    "C4",
    "|W| with λ = -0.02, over |W| without a penalty",
    grown[-0.02] / grown[0.0],
    between=(10, 1e6),
    on=on,
)

# %% [markdown]
# The norm gives it away on a logarithmic scale: a straight line upward. Notice what does *not* give it
# away. For the first few hundred steps the loss is even lower than with no penalty, since larger weights
# mean larger steps: who trains for two epochs sees an improvement. And the gradient of this objective is
# right, and `gradcheck` says so; a check of the gradient cannot know that you wanted another loss. What
# guards against it is to refuse it where it is said:


# %%
def rewarded(params, x, y):
    return data_loss(params, x, y) - 0.02 * np.sum(params["W"] ** 2)


def gradient_of_rewarded(params, x, y):
    g = gradient(params, x, y)
    return {"W": g["W"] - 0.04 * params["W"], "b": g["b"]}


checked = nablab.gradcheck(
    rewarded, gradient_of_rewarded, point, rng.standard_normal((30, 12)), np.arange(30) % 10
)
print("gradcheck:", checked.report.summary)
try:
    nablab.Recipe(weight_decay=-0.02)
except nablab.UserError as error:
    print("a recipe:", error)

# %% [markdown]
# **Exercise c4.** `gradient(W, b, x, y, penalty)` of the mean cross entropy plus `penalty` times the sum of
# all squared weights (not biases); return the two derivatives.
#
# **Exercise c4b.** `as_weight_decay(penalty)`: the `weight_decay` of SGD that trains as `penalty`
# $\cdot \sum w^2$ does.

# %% tags=["exercise"]
lessons.check("c4b", lambda penalty: penalty)
lessons.check("c4b", lambda penalty: penalty / 2)

# %% tags=["exercise"]
# def gradient(W, b, x, y, penalty):
#     return dW, db
#
# lessons.check("c4", gradient)
# lessons.check("c4b", lambda penalty: ...)

# %% [markdown]
# ## Which network was trained? · C4
#
# A training loop that works, in the notebook where it was written. Read it before you run it:

# %%
torch.manual_seed(0)
pictures, truth = torch.tensor(x_train), torch.tensor(y_train)
net = nn.Linear(784, 10)  # made in an earlier cell


def train(model, lr=0.1, epochs=2):
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    for rows in batches(len(truth), epochs):
        optimizer.zero_grad()
        functional.cross_entropy(net(pictures[rows]), truth[rows]).backward()
        optimizer.step()


def test(model):
    with torch.no_grad():
        return 100 * float((model(torch.tensor(x_test)).argmax(1).numpy() == y_test).mean())


mine = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
before = test(mine), test(net)
weights = {"model, which was given": mine, "net, which was not": net}
kept = {
    name: nn.utils.parameters_to_vector(network.parameters()).detach().clone()
    for name, network in weights.items()
}
train(mine)
moved = {
    name: float((nn.utils.parameters_to_vector(network.parameters()).detach() - kept[name]).norm())
    for name, network in weights.items()
}

# %% tags=["hide-input"]
table(
    ["", "accuracy before", "after", "its weights moved by"],
    *(
        [name, f"{b:.1f} %", f"{test(network):.1f} %", f"{moved[name]:.3g}"]
        for (name, network), b in zip(weights.items(), before, strict=True)
    ),
)

# %%
lab.figure(
    "C4",
    "train(model) with a global net: how far the given model's weights moved",
    moved["model, which was given"],
    expected=0,
)

# %% [markdown]
# `train(mine)` trained `net`. No error, a loss that falls, and the function even passes a glance in review.
# It goes unnoticed as long as the two happen to be the same object; then ConvNet2 is "trained", and what is
# reported is ConvNet's accuracy again, or that of chance. Three ways to find it, from the cheapest:
#
# 1. ask the function which names it takes from outside;
# 2. test that training changes what it is given, and nothing else;
# 3. run it where nothing is left over: a fresh kernel, or a file. What is trained by `nablab` is made there
#    and then, from a class or a line of text, and every notebook that it delivers is run from the first
#    cell to the last.

# %%
outside = inspect.getclosurevars(train).globals
print("train takes from outside:", ", ".join(sorted(outside)))
networks = [name for name, value in outside.items() if isinstance(value, nn.Module)]
lab.figure(
    "C4", "networks that train reads without having been given them", ", ".join(networks), expected="net"
)


def train_given(model, lr=0.1, epochs=2):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for rows in batches(len(truth), epochs):
        optimizer.zero_grad()
        functional.cross_entropy(model(pictures[rows]), truth[rows]).backward()
        optimizer.step()


train_given(mine)
print(f"trained itself, it has {test(mine):.1f} %")

# %% [markdown]
# The same mistake in a class: the practical's solution reads its size from a variable of the notebook.

# %%
input_size = 784


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(input_size, 10)

    def forward(self, x):
        return self.layer(x.flatten(1))


print("Net takes from outside:", ", ".join(inspect.getclosurevars(Net.__init__).globals))
print("28 x 28:", nablab.inspect(Net, latency=False).summary)
try:
    nablab.inspect(Net, input_shape=(1, 8, 8), latency=False)
except nablab.UserError as error:
    print("8 x 8:", str(error).partition(": ")[2])


class Given(nn.Module):
    def __init__(self, input_shape, classes):
        super().__init__()
        self.layer = nn.Linear(int(np.prod(input_shape)), classes)

    def forward(self, x):
        return self.layer(x.flatten(1))


small = nablab.inspect(Given, input_shape=(1, 8, 8), latency=False)
print("given its sizes, 8 x 8:", small.summary)
lab.figure(
    "C4",
    "parameters of the class that is given its sizes, 8 x 8 pixels",
    small.record.parameters,
    expected=650,
)

# %% [markdown]
# Every model is tried on two images before anything trains, so this is found in a second and not after an
# hour.
#
# **Exercise c4c.** Write `train(model, x, y, lr, epochs)`: minibatch SGD with the cross entropy, for any
# `nn.Module`. It must train what it is given, nothing else, and read no network from outside.

# %% tags=["exercise"]
lessons.check("c4c", lambda model, x, y, lr, epochs: train(model, lr, epochs))

# %% tags=["exercise"]
# def train(model, x, y, lr, epochs):
#     ...
#
# lessons.check("c4c", train)

# %% [markdown]
# ## Dropout: what it does in expectation · C5
#
# In training, every unit is switched off with the probability $p$, anew for each image and step; the rest
# are multiplied by $1/(1-p)$. With $m_i$ equal to 1 with probability $1 - p$ and else 0, a unit $a_i$
# becomes
#
# $$ \tilde a_i = \frac{m_i}{1 - p} \, a_i, \qquad
# \mathrm{E}[\tilde a_i] = \frac{1 - p}{1 - p} \, a_i = a_i, \qquad
# \mathrm{Var}[\tilde a_i] = \frac{(1-p)\,p}{(1-p)^2} \, a_i^2 = \frac{p}{1 - p} \, a_i^2 . $$
#
# On average nothing changes: that is what the factor $1/(1-p)$ is for, and why nothing at all has to be
# done when testing. (Hinton et al. 2012 and Srivastava et al. 2014 multiplied by $1 - p$ in testing; doing
# it in training, as all libraries do now, is called *inverted* dropout.) What dropout adds is noise: a unit
# of the next layer, $s = \sum_i w_i \tilde a_i$, keeps its mean and gets the variance
#
# $$ \mathrm{Var}[s] = \frac{p}{1 - p} \sum_i w_i^2 a_i^2 . $$


# %%
def dropout(a, p, rng):
    """Inverted dropout, by hand."""
    return a * (rng.random(a.shape) >= p) / (1 - p)


rng = np.random.default_rng(0)
units, weights = np.abs(rng.standard_normal(100)), rng.standard_normal(100) / 10
figure, axes = canvas(7.4, 3.2)
spreads = {}
for place, p in enumerate((0.2, 0.5, 0.8)):
    sums = dropout(np.broadcast_to(units, (20_000, 100)), p, rng) @ weights
    predicted = np.sqrt(p / (1 - p) * np.sum(weights**2 * units**2))
    spreads[p] = sums.mean() - weights @ units, sums.std() / predicted
    s = np.linspace(-6, 6, 200)
    axes.hist(
        sums, bins=100, range=(-6, 6), density=True, histtype="step", color=LIGHT[place], label=f"p = {p}"
    )
    normal = np.exp(-((s - weights @ units) ** 2) / 2 / predicted**2) / predicted / np.sqrt(2 * np.pi)
    axes.plot(s, normal, color=LIGHT[place], linewidth=0.9, linestyle=":")
axes.axvline(weights @ units, color="#333333", linewidth=0.9, linestyle="--", label="without dropout")
axes.set(xlabel="what a unit of the next layer gets", ylabel="density, 20,000 masks")
axes.legend(frameon=False, fontsize=8)
show(figure, "What a unit receives over 20,000 masks: the mean stays, the spread grows with p as derived.")
lab.figure(
    "C5",
    "mean over 20,000 masks minus without dropout, p = 0.2, 0.5, 0.8",
    [m for m, _ in spreads.values()],
    expected=0,
    tolerance=0.06,
)
lab.figure(
    "C5",
    "spread over masks, measured over derived",
    [s for _, s in spreads.values()],
    expected=1,
    tolerance=0.02,
)

# %% [markdown]
# PyTorch does the same. Its mask can be read off its output; with that mask, by hand and PyTorch agree in
# every entry, forward and backward. The gradient goes through the same mask: a unit that was off learns
# nothing from this image. In evaluation mode the layer does nothing.

# %%
torch.manual_seed(0)
activations = torch.randn(64, 500, dtype=torch.float64, requires_grad=True)
layer = nn.Dropout(0.5)
dropped = layer(activations)
mask = (dropped != 0).double()
dropped.sum().backward()
lab.figure(
    "C5",
    "nn.Dropout(0.5) minus mask * a / (1 - p), forward",
    (dropped - mask * activations / 0.5).abs().max(),
    expected=0,
)
lab.figure("C5", "the same, backward", (activations.grad - mask / 0.5).abs().max(), expected=0)
lab.figure("C5", "share of zeros", 1 - mask.mean(), expected=0.5, tolerance=0.01)
lab.figure(
    "C5",
    "in evaluation mode: largest change",
    (layer.eval()(activations) - activations).abs().max(),
    expected=0,
)

# %% [markdown]
# ### Dropout is a penalty
#
# Take linear regression and drop its *inputs*. What is minimised is the expected loss over all masks. Mean
# and variance are known from above, and $\mathrm{E}[s^2] = \mathrm{E}[s]^2 + \mathrm{Var}[s]$:
#
# $$ \mathrm{E}\bigl[(y - w \cdot \tilde x)^2\bigr] = (y - w \cdot x)^2
# + \frac{p}{1 - p} \sum_i x_i^2 w_i^2 . $$
#
# That is the L2 penalty of the section before, with a weight of its own for each input:
# $\lambda_i = \frac{p}{1-p} x_i^2$. What is large and often on is held back most. In deeper networks it is
# no longer exactly so, but the thought holds (Wager, Wang and Liang 2013): dropout asks for an answer that
# many units share.

# %%
rng = np.random.default_rng(3)
inputs, target, w = rng.standard_normal(20), 1.0, rng.standard_normal(20) / 4
noisy = dropout(np.broadcast_to(inputs, (200_000, 20)), 0.3, rng)
measured = np.mean((target - noisy @ w) ** 2)
derived = (target - inputs @ w) ** 2 + 0.3 / 0.7 * np.sum(inputs**2 * w**2)
lab.figure(
    "C5",
    "expected loss over 200,000 masks, over loss plus penalty",
    measured / derived,
    expected=1,
    tolerance=0.01,
)

# %% [markdown]
# **Exercise c5**, worked: `dropout(a, p, rng)`, inverted dropout of an array. A first try forgets the
# factor; the check says what that does, and accepts the cure.
#
# **Exercise c5b.** Write `noise(w, a, p)`: the standard deviation that dropping the units `a` with
# probability `p` gives to $w \cdot a$.

# %% tags=["exercise"]
lessons.check("c5", lambda a, p, rng: a * (rng.random(a.shape) >= p))
lessons.check("c5", lambda a, p, rng: a * (rng.random(a.shape) >= p) / (1 - p))

# %% tags=["exercise"]
# def noise(w, a, p):
#     return ...
#
# lessons.check("c5b", noise)

# %% [markdown]
# ## Four networks, with and without · C5
#
# The practical's four, in its own notation, which the next section explains:

# %%
ConvNet = "8C5-ReLU-MaxPool2-500-ReLU-K"
ConvNet2 = "8C5-ReLU-MaxPool2-Dropout0.5-500-ReLU-K"
ConvNet3 = (
    "16C5-ReLU-MaxPool2-32C5-ReLU-MaxPool2-64C5-ReLU-MaxPool2-Dropout0.5-128-ReLU-Dropout0.5-256-ReLU-K"
)
ConvNet4 = (
    "2x(64C3-BatchNorm-ReLU)-MaxPool2-Dropout0.4-2x(128C3-BatchNorm-ReLU)-MaxPool2-Dropout0.4"
    "-2x(256C3-BatchNorm-ReLU)-AvgPool7-Dropout0.5-K"
)
networks = {"ConvNet": ConvNet, "ConvNet2": ConvNet2, "ConvNet3": ConvNet3, "ConvNet4": ConvNet4}
published = {"ConvNet": 98.3, "ConvNet2": 98.3, "ConvNet3": 98.9, "ConvNet4": 99.1}
looked = {name: nablab.inspect(text, latency=False).record for name, text in networks.items()}

# %% tags=["hide-input"]
table(
    ["network", "parameters", "MACs an image", "published, MNIST, two epochs of Adam"],
    *(
        [name, f"{record.parameters:,}", f"{record.macs:,}", f"{published[name]} %"]
        for name, record in looked.items()
    ),
)

# %%
for name, record in looked.items():
    same = nablab.inspect(f"conv_net{list(looked).index(name) + 1}", latency=False).record
    lab.figure(
        "C5",
        f"{name} is the network of that name in nablab's catalogue",
        record.spec == same.spec,
        expected=True,
    )

# %% [markdown]
# Two epochs of Adam, batches of 64, as the practical trains. ConvNet4 costs over a hundred times the
# multiplications of ConvNet, which is where the practical's half hours come from; a quick run of this lab
# trains the first two.

# %%
chosen = ["conv_net1", "conv_net2"] if lab.quick else ["conv_net1", "conv_net2", "conv_net3", "conv_net4"]
results = TemporaryDirectory()
compared = nablab.compare(
    chosen,
    data,
    preset="handout",
    epochs=2,
    seeds=1,
    train_sample=1000,
    out=f"{results.name}/two-epochs",
    jobs=1,
    threads=1,
    progress=lab.full,
)
ends = {curves.label: 100 * curves.accuracy["test"].mean[-1] for curves in compared.view.curves}
RANGES = {
    "mnist": {
        "conv_net1": (97.5, 99),
        "conv_net2": (97.5, 99),
        "conv_net3": (98, 99.4),
        "conv_net4": (98.3, 99.6),
    },
    "digits": {
        "conv_net1": (88, 97),
        "conv_net2": (88, 97),
        "conv_net3": (84, 98.5),
        "conv_net4": (85, 99.5),
    },
    "stand-in": {"conv_net1": (75, 88), "conv_net2": (73, 88), "conv_net3": (60, 86), "conv_net4": (60, 90)},
}[kind]
for label, name in zip(chosen, networks, strict=False):
    lab.figure(
        "C5",
        f"{name}, two epochs: test accuracy in %",
        ends[label],
        between=RANGES[label],
        published=f"{published[name]} % (MNIST)",
        on=on,
    )

# %% [markdown]
# With and without dropout, nearly the same figure, in the practical and here. That is no accident and no
# failure of dropout: after two epochs of many images the network has not begun to learn them by heart, so
# there is nothing to prevent. To see what dropout is for, take few images and many epochs. Below, 400
# images, and the gap between what was learned and what was not:

# %%
few = 400 / len(data.y_train)
longer = nablab.compare(
    ["conv_net1", "conv_net2"],
    data,
    preset="handout",
    fractions=[few],
    epochs=20,
    evaluate_every=2,
    seeds=1 if lab.quick else 5,
    train_sample=400,
    out=f"{results.name}/few",
    jobs=1,
    threads=1,
    progress=lab.full,
)
by_label = {curves.label: curves for curves in longer.view.curves}

# %% tags=["hide-input"]
figure, left, right = canvas(10, 3.3, 2)
for place, (label, name) in enumerate((("conv_net1", "ConvNet"), ("conv_net2", "ConvNet2, dropout 0.5"))):
    losses, hits = by_label[label].loss, by_label[label].accuracy
    for part, dash in (("train", ":"), ("test", "-")):
        look = {"color": LIGHT[place], "linestyle": dash, "marker": MARKERS[place], "markersize": 3}
        left.plot(losses[part].epochs, losses[part].mean, label=f"{name}, {part}", **look)
        right.plot(hits[part].epochs, 100 * np.array(hits[part].mean), **look)
left.set(yscale="log", xlabel="epoch", ylabel="loss (nats)", xticks=range(2, 21, 2))
right.set(xlabel="epoch", ylabel="accuracy in %", xticks=range(2, 21, 2))
left.legend(frameon=False, fontsize=8)
show(
    figure,
    "Train and test curves on 400 images: with dropout the loss falls later, and the gap is smaller.",
)


# %%
def gap(curves):
    return curves.loss["test"].mean[-1] - curves.loss["train"].mean[-1]


# %% tags=["hide-input"]
table(
    ["400 images, 20 epochs", "train loss", "test loss", "gap", "test accuracy in %"],
    *(
        [
            name,
            f"{c.loss['train'].mean[-1]:.4f}",
            f"{c.loss['test'].mean[-1]:.4f}",
            f"{gap(c):.4f}",
            f"{100 * c.accuracy['test'].mean[-1]:.1f}",
        ]
        for name, c in (("ConvNet", by_label["conv_net1"]), ("ConvNet2", by_label["conv_net2"]))
    ),
)

# %%
lab.figure(
    "C5",
    "400 images: gap of test to train loss without dropout, over that with it",
    gap(by_label["conv_net1"]) / gap(by_label["conv_net2"]),
    between=(0.95, 2.5),
    on=on,
)

# %% [markdown]
# Without dropout the training loss falls about twice as low; the test loss hardly differs. That is what to
# expect of dropout in a small network: it *postpones* learning by heart, and is no substitute for data.
# Whether the last tenths of a per cent are real, one seed cannot say; `nablab.compare(..., seeds=5)` can,
# and calls it a tie where it is one.
#
# ### The forgotten `eval()`
#
# In training mode the network goes on dropping while it is tested: other scores each time, and worse ones.
# Averaging many such passes brings the scores back towards those of evaluation mode, as the expectation
# promised; not exactly, since between the dropout and the scores there is a ReLU, and the mean of a ReLU
# isn't the ReLU of the mean.

# %%
torch.manual_seed(0)
run = next(run for run in longer.results.runs if run.label == "conv_net2")  # its weights are in its folder
twin = nn.Sequential()
for name, layer in {
    "0": nn.Conv2d(1, 8, 5, padding=2),
    "1": nn.ReLU(),
    "2": nn.MaxPool2d(2),
    "3": nn.Dropout(0.5),
    "flat": nn.Flatten(),
    "4": nn.Linear(1568, 500),
    "5": nn.ReLU(),
    "6": nn.Linear(500, 10),
}.items():
    twin.add_module(name, layer)
stored = nablab.TrainedRun(run.folder.path).weights()
twin.load_state_dict({name: torch.tensor(value) for name, value in stored.items()})
tests = torch.tensor(data.x_test[:1000] / 255, dtype=torch.float32)


def hit(scores):
    return 100 * float((scores.argmax(1).numpy() == y_test[:1000]).mean())


with torch.no_grad():
    maps, rest = twin[:3](tests), twin[3:]  # before the dropout nothing is drawn: once is enough
    right_mode = rest.eval()(maps).softmax(1)
    passes = torch.stack([rest.train()(maps).softmax(1) for _ in range(40)])
single = [hit(one) for one in passes]
averages = {n: hit(passes[:n].mean(0)) for n in (1, 5, 40)}
apart = {n: float((passes[:n].mean(0) - right_mode).abs().mean()) for n in averages}

# %% tags=["hide-input"]
table(
    ["", "accuracy in %", "probabilities apart from eval()"],
    ["eval()", f"{hit(right_mode):.1f}", "0"],
    ["train(), 40 single passes", f"{min(single):.1f} to {max(single):.1f}", f"{apart[1]:.4f}"],
    *([f"train(), mean of {n} passes", f"{averages[n]:.1f}", f"{apart[n]:.4f}"] for n in (5, 40)),
)

# %%
lab.figure(
    "C5",
    "forgotten eval(): points of accuracy lost, mean of 40 passes",
    hit(right_mode) - np.mean(single),
    between=(0.1, 8),
    on=on,
)
lab.figure(
    "C5",
    "distance from eval() of the mean of 40 passes, over that of one",
    apart[40] / apart[1],
    between=(0.05, 0.8),
    on=on,
)

# %% [markdown]
# ## A network is a line of text · C6
#
# The practical writes a network as `64C3s1-BatchNorm-ReLU-...-MaxPool2s2`: 64 filters of 3x3 with stride 1,
# and so on. That is a language, and it is the one that `nablab` speaks, with its gaps filled. `nablab.spec`
# reads a line; printed, it is canonical: what is said anyway isn't repeated, repeats and brackets are
# written out, and reading it again gives the same.

# %%
for text in (
    "64C3s1-BatchNorm-ReLU-MaxPool2s2-K",
    "2x(8c3 - relu)-maxpool2-K",
    "8C5–ReLU–MaxPool2–500–ReLU–K",
):
    spec = nablab.spec(text)
    print(f"{text:42s} {spec}")
    lab.figure(
        "C6",
        f"printed and read again, {text} is the same network",
        nablab.spec(str(spec)) == spec,
        expected=True,
    )

# %% [markdown]
# The third line was pasted from a PDF: its dashes are typographic ones. Behind the text stand frozen
# values, which Python can use and make directly. What isn't a network is refused at the place where it goes
# wrong:

# %%
print(nablab.spec("64C3s1-MaxPool2s2-K").layers)
for text in ("32C3-Maxpol2-K", "20C4-ReLU-K", "32C3-Dropout-K", "32C3-ReLU-7"):
    try:
        nablab.inspect(text, latency=False)
    except nablab.UserError as error:
        print("✗", error)

# %% [markdown]
# ### Padding, and sizes with a pencil
#
# A window of $k$ pixels moves in steps of $s$ over $n$ pixels with $p$ zeros at either end. Its first place
# is at 0, its last at most at $n + 2p - k$; so there are
#
# $$ n' = \Bigl\lfloor \frac{n + 2p - k}{s} \Bigr\rfloor + 1 $$
#
# of them. With $s = 1$ the size stays if $2p = k - 1$: possible for odd kernels only. That is what the
# notation means by `8C5` without more: $p = 2$. How do we know? From the practical's own ConvNet, whose
# linear layer takes 1,568 numbers: $8 \cdot 14 \cdot 14 = 1568$, while without padding it would be
# $8 \cdot 12 \cdot 12 = 1152$. So a pasted string must mean it, and no padding is written `8C5p0`. An even
# kernel has no such padding, and has to say what it wants.


# %%
def places(n, k, s=1, p=0):
    return (n + 2 * p - k) // s + 1


lab.figure(
    "C6",
    "numbers into ConvNet's linear layer: 8C5, then MaxPool2",
    8 * places(places(28, 5, 1, 2), 2, 2) ** 2,
    expected=1568,
)
lab.figure("C6", "the same with 8C5p0", 8 * places(places(28, 5), 2, 2) ** 2, expected=1152)

# %% tags=["hide-input"]
figure, *panels = canvas(10, 2.5, 4)
for axes, (n, k, s, p) in zip(panels, ((7, 3, 1, 0), (7, 3, 1, 1), (7, 3, 2, 1), (7, 4, 1, 0)), strict=True):
    axes.set_axis_off()
    for i in range(-p, n + p):
        inside = 0 <= i < n
        axes.add_patch(
            matplotlib.patches.Rectangle(
                (i, 0),
                1,
                1,
                facecolor="#eaf0fb" if inside else "white",
                edgecolor="#3b5fa8",
                linestyle="-" if inside else ":",
            )
        )
        axes.text(i + 0.5, 0.5, "" if inside else "0", ha="center", va="center", fontsize=8)
    for i in range(places(n, k, s, p)):
        begin = -p + i * s
        axes.plot([begin + 0.1, begin + k - 0.1], [-0.6 - 0.5 * i] * 2, color=LIGHT[1], linewidth=3)
        axes.plot([begin + k / 2], [-0.6 - 0.5 * i], "o", color="white", markersize=2.5)
    option = f"s{s}" * (s > 1) + f"p{p}" * (p != (k - 1) / 2)
    axes.set_title(f"C{k}{option}: {n} → {places(n, k, s, p)}", fontsize=9)
    axes.set(xlim=(-1.4, 8.4), ylim=(-4.4, 1.3), aspect="equal")
show(
    figure,
    "Windows over seven pixels: without padding 5 fit, with one zero at either end 7, with stride 2 four.",
)

# %% [markdown]
# ### Reading and building it oneself
#
# The heart of the language is short. Reading a line and building the PyTorch module, keeping track of the
# shape as it goes, is thirty lines; a network then *is* its line, and can't differ from what the report
# says of it.


# %%
def build(text, channels=1, side=28, classes=10):
    """An nn.Sequential of a line without brackets, and its number of multiply-accumulates."""
    layers, macs, flat = [], 0, None
    simple = {"relu": nn.ReLU, "tanh": nn.Tanh}
    for word in text.lower().split("-"):
        if found := re.fullmatch(r"(\d+)c(\d+)(?:s(\d+))?(?:p(\d+))?", word):
            filters, kernel, stride = int(found[1]), int(found[2]), int(found[3] or 1)
            padding = (kernel - 1) // 2 if found[4] is None else int(found[4])
            layers.append(nn.Conv2d(channels, filters, kernel, stride, padding))
            side = places(side, kernel, stride, padding)
            macs += side * side * filters * channels * kernel * kernel
            channels = filters
        elif found := re.fullmatch(r"(max|avg)pool(\d+)(?:s(\d+))?", word):
            kernel, stride = int(found[2]), int(found[3] or found[2])
            layers.append((nn.MaxPool2d if found[1] == "max" else nn.AvgPool2d)(kernel, stride))
            side = places(side, kernel, stride)
        elif word == "batchnorm":
            layers.append(nn.BatchNorm2d(channels))
        elif found := re.fullmatch(r"dropout([\d.]+)", word):
            layers.append(nn.Dropout(float(found[1])))
        elif word in simple:
            layers.append(simple[word]())
        else:
            units = classes if word == "k" else int(word)
            if flat is None:
                layers.append(nn.Flatten())
                flat = channels * side * side
            layers.append(nn.Linear(flat, units))
            macs += flat * units
            flat = units
    return nn.Sequential(*layers), macs


built = {name: build(str(nablab.spec(text))) for name, text in networks.items()}

# %% tags=["hide-input"]
table(
    ["network", "parameters, our build", "nablab.inspect", "MACs, our build", "nablab.inspect"],
    *(
        [
            name,
            f"{sum(p.numel() for p in network.parameters()):,}",
            f"{looked[name].parameters:,}",
            f"{macs:,}",
            f"{looked[name].macs:,}",
        ]
        for name, (network, macs) in built.items()
    ),
)

# %%
counts = [sum(p.numel() for p in network.parameters()) for network, _ in built.values()]
lab.figure(
    "C6",
    "parameters of the four networks, built here from their lines",
    counts,
    expected=[789_718, 789_718, 173_962, 1_148_618],
)
lab.figure(
    "C6",
    "multiply-accumulates, built here, over those of nablab.inspect",
    [macs / looked[name].macs for name, (_, macs) in built.items()],
    expected=1,
)
two = torch.zeros(2, 1, 28, 28)
shapes = {tuple(network.eval()(two).shape) for network, _ in built.values()}
lab.figure("C6", "shape of the scores of two images, from any of the four", str(*shapes), expected="(2, 10)")

# %% [markdown]
# **With a pencil**, for ConvNet: a filter of 5x5 over one channel has 25 weights and a bias, so `8C5` has
# $8 \cdot 26 = 208$ parameters, and at each of $28 \cdot 28$ places it multiplies $8 \cdot 25$ times:
# 156,800 MACs. The linear layer has $1568 \cdot 500 + 500 = 784{,}500$ parameters, 99 % of all there are,
# which is why dropout stands before it; it costs 784,000 MACs. ConvNet4 has one and a half times the
# parameters, and over a hundred times the MACs: its first filters are used at 784 places each.
#
# A multiply-accumulate is two floating-point operations, so FLOPs = 2 x MACs, here and in everything that
# `nablab` prints; many papers call MACs "FLOPs". `nablab.inspect` shows it layer by layer, and draws the
# graph:

# %%
display(nablab.inspect(ConvNet2, latency=False))

# %% [markdown]
# **Exercise c6.** `features(text, side)`: how many numbers enter the first linear layer, of a line with
# convolutions (`8C5`, `8C5s2`, `8C5p0`) and pools (`MaxPool2`, `MaxPool3s2`), for a grey image of `side` x
# `side` pixels.
#
# **Exercise c6b.** Write as a line: three convolutions of 3x3 to 32, 64 and 128 channels that keep the
# size, each followed by batch normalisation, ReLU and a 2x2 max pool; then the mean over what is left of
# the image, dropout of one half, and the classes.

# %% tags=["exercise"]
lessons.check(
    "c6b",
    "32C3p0-BatchNorm-ReLU-MaxPool2-64C3p0-BatchNorm-ReLU-MaxPool2-128C3p0-BatchNorm-ReLU-MaxPool2-GlobalAvgPool-Dropout0.5-K",
)

# %% tags=["exercise"]
# def features(text, side):
#     return ...
#
# lessons.check("c6", features)
# lessons.check("c6b", "...")

# %% [markdown]
# ## What was found

# %%
lab.summary()

# %% [markdown]
# **In a sentence each.** The fastest rate is one over the curvature, and twice that is the end of
# convergence. `backward()` is your derivation, read from the graph. A split has a generator of its own.
# 83 % is a number of steps. A penalty's $\lambda$ means nothing without its convention, and is never
# negative. Dropout changes no mean, adds noise, and postpones learning by heart. A network is a line of
# text.
#
# **Where to go on.** Lab d takes the same step on data that no line separates; lab b explains how a
# convolutional network sees. Lab e holds every gradient of a network against finite differences, and reads
# what ails a training from its curves. Of the practical's own questions, try next:
# `nablab compare conv_net1 conv_net2 conv_net3 --data mnist --seeds 5`, which says whether ConvNet2 is
# better than ConvNet, or whether that cannot be said.
