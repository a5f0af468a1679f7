from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Write = Callable[..., None]


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TUNER_HOME of each test's own."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("TUNER_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def write_images() -> Write:
    """Write random PNG images, all different, as `folder/CLASS/NUMBER.png`."""

    def write(folder: Path, counts: Mapping[str, int], side: int = 8, seed: int = 0) -> None:
        draw = np.random.default_rng(seed)
        for name, count in counts.items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = draw.integers(0, 256, (side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / name / f"{number:03}.png")

    return write
