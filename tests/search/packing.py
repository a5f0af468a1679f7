"""A study whose trials share a GPU that Ray only counts, the first of which runs out of memory; run as a program.

Prints the trials' ends, the study's warnings, and how much of the GPU each trial had, as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ray

from tests.search.conftest import begin
from tuner import spec
from tuner.datasets import Split
from tuner.search import check, session, sharing, storage, tune
from tuner.search.search import Search
from tuner.spec import StudySpec

STUDY = """
name: packed
trial:
  dataset: {name: digits, train_examples: 200}
  model: {import: "hungry:Network"}
  training: {epochs: 2}
  mixing: {name: mixup, ratio: {name: beta, alpha: {low: 0.1, high: 1.0}}}
search: {trials: 4}
scheduler: {name: fifo}
confirm: {seeds: 0}
"""

HUNGRY = """
from pathlib import Path

import ray
import torch
from torch import nn

HERE = Path(__file__).parent


class Network(nn.Module):
    def __init__(self, image, classes):
        super().__init__()
        self.last = nn.Linear(image.channels * image.height * image.width, classes)

    def forward(self, images):
        if images.device.type != "meta" and self.training:
            share = ray.get_runtime_context().get_assigned_resources()["GPU"]
            with (HERE / "shares").open("a") as shares:
                shares.write(f"{share}\\\\n")
            if not (HERE / "ran_out").exists():
                (HERE / "ran_out").touch()
                raise torch.OutOfMemoryError("CUDA out of memory")
        return self.last(images.flatten(1))
"""


def on_one_gpu(study: str, slots: int) -> tuple[StudySpec, Split, Search]:
    """Begin a study here, on a Ray with one GPU that is only counted."""
    Path("study.yaml").write_text(study)
    loaded = spec.load("study.yaml")
    split = check.load(loaded)
    session._prepare_environment()
    ray.init(address="local", num_cpus=4, num_gpus=1, include_dashboard=False, log_to_driver=False)
    return loaded, split, begin(loaded, slots=slots)


def main() -> None:
    Path("hungry.py").write_text(HUNGRY.replace("\\\\n", "\\n"))
    loaded, split, search = on_one_gpu(STUDY, slots=3)
    shared = sharing.Shared(sharing.with_gpus(loaded, sharing.share_for(3)), 2**20)
    tune.drive(search, split, shared=shared)
    ends = [(one.state.value, one.cause) for one in storage.records(search.study)]
    written = Path("shares")
    shares = [float(line) for line in written.read_text().split()] if written.exists() else []
    sys.stdout.write(json.dumps({"ends": ends, "warnings": search.warnings, "shares": shares}) + "\n")
    ray.shutdown()


if __name__ == "__main__":
    main()
