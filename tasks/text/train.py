"""A small GPT that reads bytes and foretells the next one: the file to improve.

Trained by AdamW on random pieces of the text, for so many steps or until the time is nearly over.
The layout of the data is told in `prepare.py`, the two kinds of questions in `program.md`.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

STEPS = 250  # search: log int 50 5000
NEAR = 2  # search: int 1 8
DEPTH = 2  # search: int 1 8
LEARNING_RATE = 2e-3  # search: log 1e-4 3e-2
SPREAD = 0.05  # search: log 0.005 0.5
WIDTH = 64  # search: choice 32 48 64 96 128 192 256
BATCH_SIZE = 16  # search: log int 4 256
CONTEXT = 64  # search: log int 16 512
COOLDOWN = 0.0  # search: 0.0 1.0
WARM_UP = 20  # search: log int 1 500
WEIGHT_DECAY = 0.01  # search: log 1e-4 1.0
BETA_1 = 0.9  # search: 0.5 0.99
BETA_2 = 0.999  # search: 0.8 0.9999
HEADS = 4  # search: choice 1 2 4 8
DROPOUT = 0.0  # search: 0.0 0.5

BYTES = 256
BEGIN = 256
"""The token in front of every piece of text."""
CEILING = 16.0
"""Nats: no byte costs more, and a claim above it is invalid."""
TIME_SHARE = 0.9
"""Part of the budget that is trained in; the last weights must be written before it ends."""


class Block(nn.Module):
    """Attention to what came before, then a two-layer network, each added to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(WIDTH)
        self.attention_in = nn.Linear(WIDTH, 3 * WIDTH)
        self.attention_out = nn.Linear(WIDTH, WIDTH)
        self.norm_2 = nn.LayerNorm(WIDTH)
        self.hidden = nn.Linear(WIDTH, 4 * WIDTH)
        self.out = nn.Linear(4 * WIDTH, WIDTH)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (batch, time, WIDTH) to the same."""
        batch, steps, _ = x.shape
        heads = self.attention_in(self.norm_1(x)).view(batch, steps, 3, HEADS, WIDTH // HEADS)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(batch, steps, WIDTH)
        x = x + self.dropout(self.attention_out(mixed))
        return x + self.dropout(self.out(functional.gelu(self.hidden(self.norm_2(x)))))


class Model(nn.Module):
    """Bytes, each with its place in the piece, through some blocks, to chances of the next byte."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.ModuleList(nn.Embedding(BYTES + 1, WIDTH) for _ in range(NEAR))
        self.places = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, BYTES)
        for weight in self.parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, std=SPREAD)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """From tokens (batch, time), at most CONTEXT of them, to logits (batch, time, 256)."""
        x = self.places.weight[: tokens.shape[1]]
        for back, embedding in enumerate(self.tokens):
            # Each place is told the last NEAR bytes at once, for attention needs long to find them.
            x = x + embedding(functional.pad(tokens, (back, 0), value=BEGIN)[:, : tokens.shape[1]])
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Fit the text of the train split and leave the weights in `artifact`.

    The weights are written at the start and again now and then: whatever is in `artifact` when
    the time is over will be scored.
    """
    start = time.monotonic()
    end, next_save = start + TIME_SHARE * seconds, start + 0.25 * seconds
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = choose_device()
    text = np.load(data / "train" / "text.npy", allow_pickle=False)
    model = Model().to(device)
    save(artifact, model)
    optimizer = torch.optim.AdamW(
        model.parameters(), LEARNING_RATE, (BETA_1, BETA_2), weight_decay=WEIGHT_DECAY
    )
    steps, loss = 0, torch.zeros(())
    while steps < STEPS and (now := time.monotonic()) < end:
        rate = LEARNING_RATE * min(1, (steps + 1) / WARM_UP)
        if COOLDOWN > 0:
            left = 1 - max(steps / STEPS, (now - start) / (end - start))
            rate *= min(1, left / COOLDOWN)
        for group in optimizer.param_groups:
            group["lr"] = rate
        first = rng.integers(len(text) - CONTEXT, size=(BATCH_SIZE, 1))
        pieces = torch.from_numpy(text[first + np.arange(CONTEXT)]).to(device).long()
        loss = functional.cross_entropy(model(behind(pieces)).flatten(0, 1), pieces.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
        if now > next_save:
            save(artifact, model)
            next_save += 0.25 * seconds
    save(artifact, model)
    print(f"{steps} steps, last loss {loss.item():.3f} nats, {time.monotonic() - start:.1f} s")


def load(artifact: Path) -> Callable[[dict], np.ndarray]:
    """A function that answers the questions of both rooms."""
    device = choose_device()
    model = Model().to(device)
    weights = torch.load(artifact / "weights.pt", map_location=device, weights_only=True)
    model.load_state_dict(weights)
    model.eval()

    @torch.inference_mode()
    def answer(question: dict) -> np.ndarray:
        if question["room"] == "whole":
            return claims(model, torch.tensor(question["windows"], device=device))
        return next_logits(model, question["prefixes"], device)

    return answer


def claims(model: Model, windows: torch.Tensor) -> np.ndarray:
    """Nats of every byte of the windows (batch, length), as float32 of the same shape.

    A window is read in pieces of CONTEXT bytes, each without the one before it.
    """
    nats = []
    for piece in windows.long().split(CONTEXT, dim=1):
        logits = model(behind(piece))
        nats.append(functional.cross_entropy(logits.transpose(1, 2), piece, reduction="none"))
    return torch.cat(nats, dim=1).clamp(0, CEILING).cpu().numpy()


def next_logits(model: Model, prefixes: list[np.ndarray], device: str) -> np.ndarray:
    """Logits of the byte after each prefix, float32 (batch, 256), seen as `claims` sees it."""
    pieces = torch.zeros(len(prefixes), CONTEXT, dtype=torch.long)
    lasts = torch.tensor([len(prefix) % CONTEXT for prefix in prefixes])
    for row, prefix, last in zip(pieces, prefixes, lasts):
        row[:last] = torch.tensor(prefix[len(prefix) - last :])
    logits = model(behind(pieces.to(device)))
    return logits[torch.arange(len(prefixes)), lasts].cpu().numpy()


def behind(pieces: torch.Tensor) -> torch.Tensor:
    """What the model sees while it foretells the pieces: the same, one later, and BEGIN first."""
    return functional.pad(pieces[:, :-1], (1, 0), value=BEGIN)


def choose_device() -> str:
    """A GPU if there is one, else as many threads as there are CPUs."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    return "cuda" if torch.cuda.is_available() else "cpu"


def save(artifact: Path, model: Model) -> None:
    """Write the weights, and only then put them in the place of the ones before."""
    partial = artifact / "partial.pt"
    torch.save(model.state_dict(), partial)
    os.replace(partial, artifact / "weights.pt")
