"""A small neural network that names handwritten digits: the file to improve.

One hidden layer, trained by plain gradient descent until the time is nearly over. The layout of
the data is told in `prepare.py`. It needs numpy alone, so that trials and tests start quickly.
"""

import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

LEARNING_RATE = 0.1  # search: log 1e-3 1.0
WEIGHT_DECAY = 0.01  # search: log 1e-6 1e-1
HIDDEN = 16  # search: log int 4 256
BATCH_SIZE = 128  # search: log int 8 512
MOMENTUM = 0.5  # search: 0.0 0.99
ACTIVATION = "tanh"  # search: choice tanh relu

CLASSES = 10
TIME_SHARE = 0.9
"""Part of the budget that is trained in; the last weights must be written before it ends."""

Weights = list[np.ndarray]
"""Hidden layer's matrix and offsets, then the output layer's."""


def train(data: Path, artifact: Path, seed: int, seconds: float) -> None:
    """Fit the training images and leave the weights in `artifact`.

    The weights are written at the start and again now and then: whatever is in `artifact` when
    the time is over will be scored.
    """
    start = time.monotonic()
    end, next_save = start + TIME_SHARE * seconds, start + 0.2 * seconds
    rng = np.random.default_rng(seed)
    images = np.load(data / "train" / "images.npy", allow_pickle=False)
    labels = np.load(data / "train" / "labels.npy", allow_pickle=False)
    inputs = prepare_inputs(images)
    targets = np.eye(CLASSES, dtype=np.float32)[labels]

    sizes = (inputs.shape[1], HIDDEN, CLASSES)
    weights: Weights = []
    for fan_in, fan_out in pairwise(sizes):
        weights.append(rng.normal(0, fan_in**-0.5, (fan_in, fan_out)).astype(np.float32))
        weights.append(np.zeros(fan_out, dtype=np.float32))
    velocities = [np.zeros_like(weight) for weight in weights]

    save(artifact, weights)
    epochs = 0
    while (now := time.monotonic()) < end:
        rate = LEARNING_RATE * (end - now) / (end - start)
        order = rng.permutation(len(inputs))
        for first in range(0, len(order), BATCH_SIZE):
            chosen = order[first : first + BATCH_SIZE]
            slopes = gradients(weights, inputs[chosen], targets[chosen])
            for weight, velocity, slope in zip(weights, velocities, slopes, strict=True):
                velocity *= MOMENTUM
                velocity -= rate * (slope + WEIGHT_DECAY * weight)
                weight += velocity
        epochs += 1
        if time.monotonic() > next_save:
            save(artifact, weights)
            next_save += 0.2 * seconds
    save(artifact, weights)
    print(f"{epochs} epochs in {time.monotonic() - start:.2f} s")


def load(artifact: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from images (n, 8, 8) to probabilities (n, 10)."""
    with np.load(artifact / "weights.npz", allow_pickle=False) as file:
        weights = [file[name] for name in sorted(file.files)]
    return lambda images: probabilities(weights, prepare_inputs(images))


def prepare_inputs(images: np.ndarray) -> np.ndarray:
    """Pixels 0 to 16 as a flat row of 0 to 1."""
    return images.reshape(len(images), -1).astype(np.float32) / 16


def hidden_layer(weights: Weights, inputs: np.ndarray) -> np.ndarray:
    """What the hidden units make of the inputs."""
    sums = inputs @ weights[0] + weights[1]
    return np.tanh(sums) if ACTIVATION == "tanh" else np.maximum(sums, 0)


def softmax(sums: np.ndarray) -> np.ndarray:
    """Rows of scores as rows of probabilities."""
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def probabilities(weights: Weights, inputs: np.ndarray) -> np.ndarray:
    """The network's answer."""
    return softmax(hidden_layer(weights, inputs) @ weights[2] + weights[3])


def gradients(weights: Weights, inputs: np.ndarray, targets: np.ndarray) -> Weights:
    """Of the mean log-loss in nats, by each of the weights."""
    hidden = hidden_layer(weights, inputs)
    errors = (softmax(hidden @ weights[2] + weights[3]) - targets) / len(inputs)
    steepness = 1 - hidden**2 if ACTIVATION == "tanh" else hidden > 0
    hidden_errors = (errors @ weights[2].T) * steepness
    return [
        inputs.T @ hidden_errors,
        hidden_errors.sum(axis=0),
        hidden.T @ errors,
        errors.sum(axis=0),
    ]


def save(artifact: Path, weights: Weights) -> None:
    """Write the weights, and only then put them in the place of the ones before."""
    partial = artifact / "partial.npz"
    np.savez(partial, **{f"weight_{place}": weight for place, weight in enumerate(weights)})
    os.replace(partial, artifact / "weights.npz")
