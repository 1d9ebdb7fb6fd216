"""What a train.py with torch does: threads, workers, shared memory, files that are mapped."""

import concurrent.futures
import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


def eager() -> bool:
    """Whether training lowers a loss."""
    torch.manual_seed(0)
    inputs = torch.randn(512, 8)
    targets = inputs @ torch.randn(8, 1)
    model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses[-1] < losses[0] / 2


def workers() -> bool:
    """Whether forked workers hand every example over in shared memory."""
    examples = TensorDataset(torch.arange(1000).float())
    seen = [batch.sum() for (batch,) in DataLoader(examples, 100, num_workers=2)]
    return sum(seen).item() == 999 * 500


def threads() -> bool:
    """Whether threads of Python and of torch add up."""
    torch.set_num_threads(2)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        sums = pool.map(lambda n: int(torch.full((1000,), n).sum()), range(8))
    return list(sums) == [1000 * n for n in range(8)]


def shared_memory() -> bool:
    """Whether processes that were spawned afresh compute."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(abs, [-1, -2]) == [1, 2]


def mapped() -> bool:
    """Whether saved tensors and arrays load, mapped or not."""
    folder = Path(tempfile.mkdtemp())
    torch.save({"w": torch.ones(1000)}, folder / "w.pt")
    np.save(folder / "a.npy", np.ones(1000))
    return (
        torch.load(folder / "w.pt", weights_only=True)["w"].sum() == 1000
        and torch.load(folder / "w.pt", weights_only=True, mmap=True)["w"].sum() == 1000
        and np.load(folder / "a.npy", mmap_mode="r").sum() == 1000
    )


def programs() -> bool:
    """Whether a shell runs."""
    return os.system("echo done | grep -q done") == 0


def compiled() -> bool:
    """Whether torch.compile makes what the plain function makes."""
    inputs = torch.linspace(-2, 2, 100)

    def plain(x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x) * torch.exp(-x) + x.cumsum(0)

    return torch.allclose(torch.compile(plain)(inputs), plain(inputs), atol=1e-5)


def on_gpu() -> bool:
    """Whether training on a GPU lowers a loss, with batches that workers pin for it."""
    torch.manual_seed(0)
    inputs = torch.randn(512, 8)
    examples = TensorDataset(inputs, inputs @ torch.randn(8, 1))
    layers = (torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
    model = torch.nn.Sequential(*layers).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        for batch in DataLoader(examples, 64, num_workers=2, pin_memory=True):
            x, y = (tensor.cuda(non_blocking=True) for tensor in batch)
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses[-1] < losses[0] / 2


def replayed() -> bool:
    """Whether a CUDA graph computes anew from what is put into its input."""
    x = torch.zeros(1000, device="cuda")
    (x + 1).sum()  # before it is recorded, all that starts late has started
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = x * 2 + 1
    x.fill_(3)
    graph.replay()
    return bool((y == 7).all())


def compiled_on_gpu() -> bool:
    """Whether Triton builds, for a GPU, what the plain function makes, forwards and backwards."""

    def plain(x: torch.Tensor) -> torch.Tensor:
        return (torch.sin(x) * torch.exp(-x) + x.cumsum(0)).sum()

    gradients = []
    for function in (plain, torch.compile(plain)):
        x = torch.linspace(-2, 2, 100, device="cuda", requires_grad=True)
        function(x).backward()
        gradients.append(x.grad)
    return torch.allclose(*gradients, atol=1e-5)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stderr.write(f"{name}: {'works' if globals()[name]() else 'wrong'}\n")
    sys.stderr.flush()
