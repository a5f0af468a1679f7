"""Our training loop against the usual PyTorch one: the same network, optimizer, batch size and images, one thread.

The usual loop is that of most tutorials: a torchvision dataset that makes a PIL image of each example, ToTensor, a
DataLoader that shuffles, convolution - relu - pooling, Adam as it comes, and the loss read after each step.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from measure import Target, arguments, in_turns, median_ratio, print_document  # before torch: one thread
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from tuner import trial
from tuner.datasets import Examples

BATCH_SIZE = 64

Transform = Callable[[Image.Image], torch.Tensor]


def main() -> None:
    parser = arguments("one epoch of training, ours against the usual loop")
    parser.add_argument("--examples", type=int, default=12_000, help="training images (default 12000)")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each loop (default 5)")
    options = parser.parse_args()
    examples, rounds = (640, 1) if options.quick else (options.examples, options.rounds)
    torch.set_num_threads(1)
    config = trial.resolve(
        {
            "dataset": {"name": "fashion_mnist", "train_examples": examples, "validation_examples": 100},
            "model": "small_cnn",
            "training": {"epochs": 1000, "batch_size": BATCH_SIZE, "optimizer": "adam"},
        }
    )
    split = trial.load_data(config, seed=0)
    to_tensor = transforms.ToTensor()
    normalised = transforms.Compose([to_tensor, transforms.Normalize((0.286,), (0.353,))])
    training, validation = trial.build(config, split, seed=0), trial.validation_split(split)
    variants: dict[str, Callable[[], object]] = {
        "ours": lambda: training.run_epoch(validation),  # validation is 100 images: under 1 % of the time
        "usual": usual_loop(split.training, to_tensor, workers=0),
        "usual_normalised": usual_loop(split.training, normalised, workers=0),
        "usual_1_worker": usual_loop(split.training, to_tensor, workers=1),
    }
    cpu = {name: _Clocked(run) for name, run in variants.items()}
    wall = in_turns(cpu, rounds, warmups=0 if options.quick else 1)
    cpu_seconds = {name: clocked.seconds[-rounds:] for name, clocked in cpu.items()}
    steps = -(-examples // BATCH_SIZE)
    print_document(
        "training_loop",
        options.quick,
        [
            Target("usual / ours, seconds an epoch", median_ratio(wall["usual"], wall["ours"]), 1.5, 1.9),
            Target("usual / ours, CPU seconds", median_ratio(cpu_seconds["usual"], cpu_seconds["ours"]), 1.5, 1.9),
        ],
        setting={"dataset": "fashion_mnist", "examples": examples, "batch_size": BATCH_SIZE, "rounds": rounds},
        variants={
            name: {
                "median_seconds_an_epoch": statistics.median(seconds),
                "median_milliseconds_a_step": 1000 * statistics.median(seconds) / steps,
                "examples_per_second": examples / statistics.median(seconds),
                "cpu_seconds_of_the_process": statistics.median(cpu_seconds[name]),
                "seconds": seconds,
            }
            for name, seconds in wall.items()
        },
        ratios_to_ours={name: median_ratio(seconds, wall["ours"]) for name, seconds in wall.items()},
        note="usual_1_worker uses a second core for its worker process, whose time is not in its CPU seconds",
    )


class PilImages(Dataset[tuple[torch.Tensor, int]]):
    """Images as torchvision's MNIST and FashionMNIST give them: a PIL image of each, then the transform."""

    def __init__(self, examples: Examples, transform: Transform) -> None:
        self.data = torch.from_numpy(examples.images[:, 0])
        self.targets = torch.from_numpy(examples.labels)
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.data[index].numpy())), int(self.targets[index])

    def __len__(self) -> int:
        return len(self.data)


def usual_loop(
    examples: Examples, transform: Callable[[Image.Image], torch.Tensor], workers: int
) -> Callable[[], None]:
    """Return a function that trains one epoch in the usual way."""
    torch.manual_seed(0)
    loader = DataLoader(PilImages(examples, transform), BATCH_SIZE, shuffle=True, num_workers=workers)
    model = usual_small_cnn()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    return functools.partial(usual_epoch, model, optimizer, loader)


def usual_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader[Iterator[torch.Tensor]]) -> None:
    model.train()
    criterion = nn.CrossEntropyLoss()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)


def usual_small_cnn() -> nn.Sequential:
    """Return the network of `small_cnn`, written as a tutorial would."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


class _Clocked:
    """Runs a function and keeps the process's CPU seconds of every run."""

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run
        self.seconds: list[float] = []

    def __call__(self) -> None:
        start = time.process_time()
        self._run()
        self.seconds.append(time.process_time() - start)


if __name__ == "__main__":
    main()
