"""What Optuna draws is a plain configuration, and the way back finds the parameters that drew it."""

from __future__ import annotations

import optuna
import pytest

from tuner.errors import ConfigError
from tuner.space import domains, parameters_of, parse, suggest

ALPHA = {"low": 0.05, "high": 8.0, "log": True}
SPACE = {
    "training": {"epochs": 3, "optimizer": {"name": "sgd", "momentum": 0.9}},
    "mixing": {
        "choice": {
            "none": {},
            "mixup": {
                "probability": {"low": 0.25, "high": 1.0, "step": 0.25},
                "depths": {"any": [[0], [0, 1, 2]]},
                "ratio": {
                    "choice": {
                        "beta": {"alpha": ALPHA},
                        "dirichlet": {"count": {"low": 3, "high": 5}, "alpha": ALPHA},
                    }
                },
            },
            "cutmix": {"inside": {"any": [True, False]}, "ratio": {"name": "beta", "alpha": ALPHA}},
        }
    },
}


@pytest.fixture
def template():
    return parse(SPACE)


def fixed(parameters):
    return optuna.trial.FixedTrial(parameters)


def test_drawn_choice_becomes_a_name_and_its_leaves(template):
    parameters = {
        "mixing": "mixup",
        "mixing.mixup.probability": 0.5,
        "mixing.mixup.depths": "[0, 1, 2]",
        "mixing.mixup.ratio": "dirichlet",
        "mixing.mixup.ratio.dirichlet.count": 4,
        "mixing.mixup.ratio.dirichlet.alpha": 0.2,
    }
    assert suggest(fixed(parameters), template) == {
        "training": {"epochs": 3, "optimizer": {"name": "sgd", "momentum": 0.9}},
        "mixing": {
            "name": "mixup",
            "probability": 0.5,
            "depths": [0, 1, 2],
            "ratio": {"name": "dirichlet", "count": 4, "alpha": 0.2},
        },
    }


def test_drawn_branch_brings_no_parameters_of_the_others(template):
    assert suggest(fixed({"mixing": "none"}), template)["mixing"] == {"name": "none"}


def test_every_drawn_configuration_is_led_back_to_its_parameters(template):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    branches = set()
    for _ in range(60):
        trial = study.ask()
        config = suggest(trial, template)
        assert parameters_of(template, config) == trial.params
        assert suggest(fixed(trial.params), template) == config
        assert set(trial.params) <= set(domains(template))
        branches.add(config["mixing"]["name"])
        study.tell(trial, 0.0)
    assert branches == {"none", "mixup", "cutmix"}


def test_enqueued_baseline_is_drawn_exactly(template):
    mixing = {"name": "cutmix", "inside": True, "ratio": {"name": "beta", "alpha": 1}}
    study = optuna.create_study()
    study.enqueue_trial(parameters_of(template, {"mixing": mixing}))
    assert suggest(study.ask(), template)["mixing"] == mixing


def test_values_equal_in_python_stay_apart():
    template = parse({"x": {"any": [1, True, "1"]}})
    for value in (1, True, "1"):
        drawn = suggest(fixed(parameters_of(template, {"x": value})), template)["x"]
        assert drawn == value
        assert type(drawn) is type(value)


def test_drawn_list_is_the_trial_own(template):
    parameters = parameters_of(template, {"mixing": mixup()})
    suggest(fixed(parameters), template)["mixing"]["depths"].append(9)
    assert suggest(fixed(parameters), template)["mixing"]["depths"] == [0]


def test_range_that_steps_miss_is_drawn_without_a_warning():
    template = parse({"x": {"low": 0.0, "high": 1.0, "step": 0.3}, "n": {"low": 1, "high": 10, "step": 4}})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [suggest(study.ask(), template) for _ in range(40)]
    assert {round(config["x"], 9) for config in drawn} == {0.0, 0.3, 0.6, 0.9}
    assert {config["n"] for config in drawn} == {1, 5, 9}


def mixup(**changes):
    block = {"name": "mixup", "probability": 1.0, "depths": [0], "ratio": {"name": "beta", "alpha": 0.2}}
    return block | changes


@pytest.mark.parametrize(
    ("mixing", "words"),
    [
        (mixup(ratio={"name": "beta"}), "the baseline lacks mixing.ratio.alpha, which the space searches"),
        (mixup(ratio={"name": "beta", "alpha": 9}), "alpha 9 is outside 0.05 to 8.0"),
        (mixup(ratio={"name": "beta", "alpha": "1"}), "alpha must be a number"),
        (mixup(ratio={"name": "beta", "alpha": True}), "alpha must be a number"),
        (mixup(ratio={"name": "dirichlet", "count": 3.5, "alpha": 1}), "count 3.5 is between the steps"),
        (mixup(ratio={"name": "betta", "alpha": 1}), "did you mean beta?"),
        (mixup(ratio={"alpha": 1}), "the baseline lacks mixing.ratio.name"),
        (mixup(probability=0.3), "probability 0.3 is between the steps of 0.25"),
        (mixup(depths=[3]), "depths [3] is outside [0], [0, 1, 2]"),
        (mixup(scale=1), "the space has no mixing.scale"),
        ({"name": "cutmix", "inside": 1, "ratio": {"name": "beta", "alpha": 1}}, "inside 1 is outside True, False"),
        ({"name": "cutmix", "inside": True, "ratio": {"name": "fixed", "alpha": 1}}, "the space fixes it at 'beta'"),
        ({"name": "cutmix", "inside": True}, "the baseline lacks mixing.ratio"),
        ("cutmixx", "did you mean cutmix?"),
        (3, "the baseline lacks mixing.name"),
    ],
)
def test_configuration_outside_the_space_is_refused_with_the_reason(template, mixing, words):
    with pytest.raises(ConfigError) as caught:
        parameters_of(template, {"mixing": mixing})
    assert words in str(caught.value)


def test_unknown_section_is_refused(template):
    with pytest.raises(ConfigError, match="did you mean mixing"):
        parameters_of(template, {"mixin": {}})


def test_bare_name_stands_for_a_section_with_that_name(template):
    assert parameters_of(template, {"mixing": "none"}) == {"mixing": "none"}
    assert parameters_of(parse({"loss": "cross_entropy"}), {"loss": {"name": "cross_entropy"}}) == {}
