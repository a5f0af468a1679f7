"""Learning-rate schedules at points worked by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.examples import training, validation
from tuner.catalog import resolve
from tuner.training.schedule import SCHEDULES, Schedule


def built(name: str, **parameters: Any) -> Schedule:
    return SCHEDULES.build(resolve(SCHEDULES, {"name": name, **parameters}))


@pytest.mark.parametrize(
    ("name", "parameters", "points"),
    [
        ("constant", {}, {0: 1, 5: 1, 9.99: 1}),
        ("constant", {"warmup_epochs": 2}, {0: 0, 0.5: 0.25, 1: 0.5, 2: 1, 9: 1}),
        # (1 + cos 45 degrees) / 2 = 0.853553
        ("cosine", {}, {0: 1, 2.5: 0.853553, 5: 0.5, 7.5: 0.146447, 10: 0}),
        ("cosine", {"final_factor": 0.2}, {0: 1, 5: 0.6, 10: 0.2}),
        ("cosine", {"warmup_epochs": 2}, {1: 0.5, 2: 1, 4: 0.853553, 6: 0.5, 10: 0}),
        ("cosine", {"warmup_epochs": 20}, {0: 0, 5: 0.25, 9: 0.45}),
        ("step", {}, {0: 1, 4.99: 1, 5: 0.1, 7.49: 0.1, 7.5: 0.01, 9.99: 0.01}),
        ("step", {"at": [0.3], "factor": 0.5}, {2.99: 1, 3: 0.5, 9: 0.5}),
        ("step", {"at": []}, {0: 1, 9: 1}),
        # The drops stay at shares of the whole training, whatever the warm-up.
        ("step", {"warmup_epochs": 1}, {0.5: 0.5, 1: 1, 4.99: 1, 5: 0.1, 7.5: 0.01}),
    ],
)
def test_factor_out_of_10_epochs(name, parameters, points):
    factor = built(name, **parameters)
    assert {done: factor(done, 10) for done in points} == pytest.approx(points, abs=1e-6)


@pytest.mark.parametrize("epochs", [10, 30, 200])
@pytest.mark.parametrize("tenths", range(1, 10))
def test_step_falls_exactly_at_the_start_of_its_epoch(epochs, tenths):
    factor, drop = built("step", at=[tenths / 10]), epochs * tenths // 10
    assert [factor(drop - 1, epochs), factor(drop, epochs)] == [1, 0.1]


def test_steps_that_do_not_increase_are_refused():
    with pytest.raises(ValueError, match=r"the shares in `at` must increase, got \[0\.5, 0\.5\]"):
        built("step", at=[0.5, 0.5])


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ({"name": "step", "at": [0.5]}, [0.4, 0.4, 0.04, 0.04]),
        # Five steps an epoch; an epoch's last step stands at 4/5 of it.
        ({"name": "constant", "warmup_epochs": 2}, [0.16, 0.36, 0.4, 0.4]),
    ],
)
def test_training_follows_the_schedule_step_by_step(schedule, rates):
    under_way = training(schedule=schedule, optimizer={"name": "sgd", "learning_rate": 0.4})
    assert [under_way.run_epoch(validation()).learning_rate for _ in range(4)] == pytest.approx(rates)
