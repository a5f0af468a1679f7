"""A study whose trials share a GPU that Ray only counts, and another that wants it whole for a probe; run as a program.

Prints what the other said, how many trials had ended when its probe was done, and how many in the end.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

from tests.search.packing import STUDY, on_one_gpu
from tuner.results import TrialState
from tuner.search import probing, sharing, storage, tune

HELD_SECONDS = 60.0

STUDY_HELD = STUDY.replace("hungry:", "held:").replace("trials: 4", "trials: 8")

HELD = f"""
import os
import time
from pathlib import Path

from torch import nn

HERE = Path(__file__).parent


class Network(nn.Module):
    def __init__(self, image, classes):
        super().__init__()
        self.last = nn.Linear(image.channels * image.height * image.width, classes)

    def forward(self, images):
        if images.device.type != "meta" and self.training:
            (HERE / f"trains_{{os.getpid()}}").touch()
            until = time.monotonic() + {HELD_SECONDS}
            while (HERE / "hold").exists() and time.monotonic() < until:
                time.sleep(0.05)
        return self.last(images.flatten(1))
"""
"""Its training stands still as long as there is a file `hold`."""


def main() -> None:
    Path("held.py").write_text(HELD)
    hold = Path("hold")
    hold.touch()
    loaded, split, search = on_one_gpu(STUDY_HELD, slots=2)
    wanted, said = threading.Event(), []
    search.share = lambda nodes, room, gpus: 0 if wanted.is_set() else room

    def ended() -> int:
        return sum(one.state is not TrialState.RUNNING for one in storage.records(search.study))

    @contextmanager
    def leaving() -> Iterator[None]:
        wanted.set()
        yield
        wanted.clear()

    def note(words: str) -> None:
        said.append(words)
        hold.unlink(missing_ok=True)  # whoever waits has said so: the trials that have the GPU may end

    def measure() -> None:
        subjects = probing.subjects(loaded, split)
        while len(list(Path().glob("trains_*"))) < 2:
            time.sleep(0.05)
        waiting = probing.Waiting(note, leaving)
        probing.probe(loaded, split, subjects.unmixed, gpus=1, waiting=waiting)
        said.append(ended())

    other = threading.Thread(target=measure)
    other.start()
    tune.drive(search, split, shared=sharing.Shared(sharing.with_gpus(loaded, sharing.share_for(2)), 2**20))
    other.join()
    sys.stdout.write(json.dumps({"said": said, "ended": ended()}) + "\n")
    ray.shutdown()


if __name__ == "__main__":
    main()
