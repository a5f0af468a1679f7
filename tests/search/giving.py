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

import ray

from tests.search.packing import STUDY, on_one_gpu
from tuner.results import TrialState
from tuner.search import probing, sharing, storage, tune

SLOW = (
    STUDY.replace('{import: "hungry:Network"}', "{name: mlp}")
    .replace("epochs: 2", "epochs: 50")
    .replace("trials: 4", "trials: 8")
)


def main() -> None:
    loaded, split, search = on_one_gpu(SLOW, slots=2)
    wanted, said = threading.Event(), []
    search.share = lambda nodes, room, gpus: 0 if wanted.is_set() else room

    def ended() -> int:
        return sum(one.state is not TrialState.RUNNING for one in storage.records(search.study))

    @contextmanager
    def leaving() -> Iterator[None]:
        wanted.set()
        yield
        wanted.clear()

    def measure() -> None:
        while ended() < 2:
            time.sleep(0.1)
        subjects = probing.subjects(loaded, split)
        waiting = probing.Waiting(said.append, leaving)
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
