"""What a single trial can do wrong, each fault in plain words with the number of its line in the list of faults.

Beside them stand elsewhere: 15, a loss that is not finite (test_search, here for each metric); 17, memory that ran out
(test_worker, test_limits); 18, a trial that hangs (test_silence); 20, a state that cannot be pickled (test_worker);
26, resources that no node has (test_session); 41, ties and few trials at a rung (test_asha).
"""

from __future__ import annotations

import json
import math
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.search.conftest import STUDY, begin, drive, metrics, rising, train
from tuner import trial
from tuner.errors import ConfigError, StudyFileError, UsageError
from tuner.models import ImageShape
from tuner.results import EpochMetrics, TrialState
from tuner.search import causes, check, session, storage
from tuner.search.adapters import SearchScheduler


def records(search):
    return storage.records(search.study)


@pytest.mark.parametrize("name", ["train_loss", "val_accuracy", "val_nll", "val_ece"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_15_a_metric_that_is_not_finite_ends_its_trial_alone(load, name, value):
    search = begin(load(), slots=2)
    sound, broken = search.ask(), search.ask()
    assert not search.report(sound.number, metrics(1, 0.5))
    assert search.report(broken.number, replace(metrics(1, 0.5), **{name: value}))
    assert records(search)[1].state is TrialState.FAILED
    assert records(search)[1].cause.startswith("diverged at epoch 1: ")
    assert name in records(search)[1].cause
    assert records(search)[0].state is TrialState.RUNNING
    assert search.study.trials[1].state.name == "FAIL"  # which the sampler does not learn from


WRONG = {
    "a metric that is missing": ({"val_accuracy": None}, "val_accuracy at epoch 2: wanted a number, got None"),
    "text for a number": ({"val_nll": "0.5"}, "val_nll at epoch 2: wanted a number, got '0.5'"),
    "true for a number": ({"val_ece": True}, "val_ece at epoch 2: wanted a number, got True"),
    "accuracy in percent": ({"val_accuracy": 101.0}, "val_accuracy at epoch 2: wanted a share from 0 to 1, got 101.0"),
    "a negative share": ({"val_ece": -0.1}, "val_ece at epoch 2: wanted a share from 0 to 1, got -0.1"),
    "no epoch": ({"epoch": None}, "epoch: wanted a whole number from 1, got None"),
    "epoch 0": ({"epoch": 0}, "epoch: wanted a whole number from 1, got 0"),
}


@pytest.mark.parametrize(("changes", "words"), WRONG.values(), ids=WRONG)
def test_16_a_report_that_cannot_be_ends_its_trial_with_what_was_wanted(load, changes, words):
    search = begin(load("search.trials=2"))
    broken = search.ask()
    assert not search.report(broken.number, metrics(1, 0.5))
    assert search.report(broken.number, replace(metrics(2, 0.5), **changes))
    drive(search, rising)
    assert [record.state for record in records(search)] == [TrialState.FAILED, TrialState.COMPLETE]
    assert records(search)[0].cause == f"reported what cannot be: {words}"
    assert records(search)[0].epochs == 1


def test_16_what_a_worker_leaves_out_of_a_result_ends_its_trial_and_not_the_driver(load):
    search = begin(load("search.trials=2"))
    number = search.ask().number
    result = {"number": number, "warnings": [], **vars(metrics(1, 0.5))}
    del result["val_accuracy"]
    assert SearchScheduler(search).on_trial_result(None, SimpleNamespace(), result) == "STOP"
    assert "val_accuracy at epoch 1: wanted a number, got None" in records(search)[0].cause


def test_16_an_epoch_as_the_trainer_measures_it_is_nothing_to_complain_of():
    measured = []
    config = {"dataset": {"name": "digits", "train_examples": 50}, "model": {"name": "mlp"}, "training": {"epochs": 1}}
    trial.run(config, report=measured.append)
    assert [one.wrong() for one in measured] == [""]
    assert EpochMetrics(1, 0, 0, 0, 1, 0, 0, 0).wrong() == ""


OWN = """
import threading

import numpy as np
from torch import nn

from tuner.datasets import Dataset, Examples

class TwoFaced(nn.Module):
    def __init__(self, image, classes):
        super().__init__()
        self.head = nn.Linear(image.channels * image.height * image.width, classes)

    def forward(self, images):
        logits = self.head(images.flatten(1))
        return logits if self.training else (logits, "surprise")

def large(image, classes, *, table: list[float] = [0.5] * 40_000): return nn.Linear(1, classes)
def small(image, classes, *, table: list[float] = [0.5] * 200, act=print): return nn.Linear(1, classes)

def closed():
    lock = threading.Lock()
    images, labels = np.zeros((40, 1, 8, 8), np.uint8), np.arange(40) % 2
    return Dataset(("a", "b"), Examples(images, labels), lambda: lock)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of one's own, on the path for the time of a test."""
    (tmp_path / "faulty_parts.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield "faulty_parts"
    sys.modules.pop("faulty_parts", None)


def test_16_a_network_that_returns_nonsense_only_when_it_is_evaluated_is_refused_at_the_door(own):
    config = trial.resolve({"dataset": "digits", "model": {"import": f"{own}:TwoFaced"}})
    with pytest.raises(ConfigError, match="it returns a tuple; wanted the logits alone"):
        trial.check_model(config, ImageShape(1, 8, 8), 10)


def study_of(function: str) -> str:
    return STUDY.replace("{name: small_cnn, padding: same}", f"{{import: {function}}}")


def test_20_a_huge_default_of_ones_own_function_is_refused_with_its_key(load, own):
    with pytest.raises(
        StudyFileError, match=r"trial.model.table: takes 200,000 characters; all of a trial's"
    ) as caught:
        load(text=study_of(f"{own}:large"))
    assert len(str(caught.value).splitlines()) == 1  # and not once for each corner of the space


def test_20_a_huge_text_in_the_file_is_refused_with_its_key(load):
    with pytest.raises(StudyFileError, match=r"trial.model.import|trial.dataset"):
        load(text=STUDY.replace("{name: digits}", "{name: image_folder, path: " + 200_000 * "x" + "}"))


def test_20_a_default_that_is_no_plain_value_never_gets_into_a_configuration(load, own):
    search = begin(load(text=study_of(f"{own}:small")))
    config = search.ask().config["model"]
    assert set(config) == {"import", "table", "stages"}
    assert json.loads(json.dumps(config)) == config


def test_20_a_test_split_whose_loader_cannot_be_pickled_does_not_travel_to_the_trials():
    ray_tune = pytest.importorskip("tuner.search.tune")
    from ray import cloudpickle

    split = trial.load_data(trial.resolve({"dataset": "digits", "model": "mlp"}), 0)
    lock = threading.Lock()
    closed = replace(split, load_test=lambda: lock)
    with pytest.raises(TypeError, match="pickle"):
        cloudpickle.dumps(closed)
    sent = cloudpickle.loads(cloudpickle.dumps(ray_tune.for_trials(closed)))
    assert (sent.training.images == split.training.images).all()
    with pytest.raises(RuntimeError, match="the test split stays shut"):
        sent.load_test()


RAY_WROTE = """Failure # 1 (occurred at 2026-11-22_06-03-49)
\x1b[36mray::TrialActor.train()\x1b[39m (pid=1)
ValueError: an earlier one
Failure # 2 (occurred at 2026-11-22_06-03-55)
\x1b[36mray::TrialActor.train()\x1b[39m (pid=2)
  File "worker.py", line 71, in step
torch.AcceleratorError: CUDA error: device-side assert triggered
CUDA kernel errors might be asynchronously reported at some other API call.
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.

"""


def test_17_what_a_lost_worker_raised_is_found_among_what_ray_wrote():
    said = "torch.AcceleratorError: CUDA error: device-side assert triggered"
    assert causes.lost_too_often(RAY_WROTE) == f"its worker was lost: {said}"
    assert causes.lost_too_often("The actor died.\n  Worker exits.\n\n") == "its worker was lost: Worker exits."
    assert causes.lost_too_often("") == "its worker was lost: nothing is known of it"


def test_20_a_test_split_whose_loader_cannot_be_pickled_is_refused_before_anything_is_trained(load, own):
    text = STUDY.replace("{name: digits}", f"{{import: {own}:closed}}")
    with pytest.raises(
        StudyFileError, match=r"trial.dataset: its load_test cannot be sent to another process: TypeErr"
    ):
        check.load(load(text=text))


@pytest.mark.parametrize("gpus", [0.5, 1, 64])
def test_26_gpus_that_this_machine_does_not_have_are_refused_before_anything_is_loaded(monkeypatch, gpus):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(UsageError, match=rf"asks for resources.gpus: {gpus:g}, and torch .* finds 0 on this machine"):
        session.require_gpus(gpus)


def test_26_where_none_are_asked_for_or_a_cluster_has_them_nothing_is_refused(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    session.require_gpus(0)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    session.require_gpus(8)


def test_27_a_study_whose_trials_all_fail_stops_early_and_names_the_three_commonest_causes(load):
    search = begin(load("search.trials=64", "limits.failures=8"))
    memory = [f"OutOfMemoryError: {mib} MiB, {free} GiB free" for mib, free in ((20, 0.12), (24, 1.5), (9, 3))]
    told = [memory[0], "ValueError: no", memory[1], "KeyError: 'x'", "ValueError: no", "OSError: rare", memory[2]]
    told.append("KeyError: 'x'")
    for cause in told:
        search.fail(search.ask().number, cause)
    assert search.ask() is None
    assert search.finished
    assert search.too_many_failures()
    assert causes.commonest(records(search)) == (
        "OutOfMemoryError: 20 MiB, 0.12 GiB free (3 trials); ValueError: no (2 trials); KeyError: 'x' (2 trials)"
    )


def test_27_causes_that_differ_in_words_are_told_apart(load):
    search = begin(load())
    for cause in ("OSError: a", "OSError: b", "at 0x7f3a: c", "at 0x1b2c: c"):
        search.fail(search.ask().number, cause)
    assert causes.commonest(records(search)) == "at 0x7f3a: c (2 trials); OSError: a (1 trial); OSError: b (1 trial)"


def test_41_where_all_trials_are_equal_all_are_trained_to_the_end(load):
    search = begin(load())
    drive(search, lambda a, e: 0.5)
    assert {record.state for record in records(search)} == {TrialState.COMPLETE}


def test_41_with_fewer_trials_than_the_reduction_the_better_one_goes_on(load):
    search = begin(load("search.trials=3", "scheduler.reduction=9", "scheduler.strata=none"))
    drive(search, lambda a, e: [0.9, 0.3, 0.4][a.number])
    # The baseline is never stopped; both others fall short of the best third of two and of three.
    assert [record.state for record in records(search)] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED]


def test_41_where_all_trials_are_nan_the_study_fails_and_ends(load):
    search = begin(load("limits.failures=4"))
    assert len(drive(search, lambda a, e: math.nan)) == 4
    assert search.too_many_failures()
    assert {record.state for record in records(search)} == {TrialState.FAILED}


def test_41_nan_trials_do_not_count_at_a_rung(load):
    search = begin(load("search.trials=6", "scheduler.strata=none"))
    train(search, search.ask(), lambda a, e: math.nan)
    drive(search, lambda a, e: 0.1 * a.number)
    assert [record.state for record in records(search)] == [TrialState.FAILED, *5 * [TrialState.COMPLETE]]
