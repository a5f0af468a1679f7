"""A study whose parts do not go with its data is refused before a trial runs, each part in words."""

from __future__ import annotations

import pytest

from tuner import space, spec, trial
from tuner.errors import StudyFileError
from tuner.search import check

TABLE = ["trial.dataset=breast_cancer", "trial.model=mlp", "trial.mixing=none"]
REGRESSION = ["trial.dataset=diabetes", "trial.model=mlp", "trial.mixing=none", "objective.metric=val_rmse"]


def refused(*overrides: str) -> str:
    with pytest.raises(StudyFileError) as caught:
        check.load(spec.load("digits", overrides))
    return str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ([*TABLE, "trial.model={name: small_cnn, padding: same}"], "small_cnn takes images, and breast_cancer is a"),
        ([*TABLE, "trial.model=torchvision"], "set model to mlp"),
        ([*TABLE, "trial.training.augment=[flip]"], "augmentations change images, and breast_cancer is a table"),
        ([*TABLE, "trial.training.normalize=unit"], "leave normalize out"),
        ([*TABLE, "trial.mixing=cutmix"], "cutmix mixes images, and breast_cancer is a table; methods that"),
        ([*TABLE, "trial.mixing={name: switch, policies: [mixup, fmix]}"], "fmix mixes images"),
        ([*TABLE, "trial.mixing=c_mixup"], "c_mixup is for labels that are numbers"),
        ([*TABLE, "trial.loss=huber"], "huber does not fit breast_cancer, whose labels are classes; set loss to"),
        ([*TABLE, "objective.metric=val_mae"], "is a classification, of which val_mae is not measured"),
        (["trial.mixing=column_cutmix"], "column_cutmix mixes the columns of tables, and digits is of images"),
        ([*REGRESSION, "trial.loss=cross_entropy"], "cross_entropy does not fit diabetes, whose labels are numbers"),
        ([*REGRESSION, "objective.metric=val_accuracy"], "set objective.metric to one of val_rmse, val_mae, val_r2"),
        ([*REGRESSION, "trial.mixing={name: mixup, depths: [5]}"], "mlp has depths 0 to 2"),
    ],
)  # fmt: skip
def test_what_does_not_go_with_the_data_is_said(overrides, words):
    assert words in refused(*overrides)


def test_every_mistake_is_said_at_once():
    said = refused(*REGRESSION, "objective.metric=val_nll", "trial.mixing=cutmix", "trial.loss=bi_tempered")
    for words in ("of which val_nll is not measured", "cutmix mixes images", "bi_tempered does not fit diabetes"):
        assert words in said


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes"])
def test_the_studies_of_tables_fit(name):
    check.load(spec.load(name))


@pytest.mark.parametrize(
    ("dataset", "loss"),
    [
        ("diabetes", "mse"),
        ("{name: csv, path: x.csv, target: y, task: regression}", "mse"),
        ("{name: csv, path: x.csv, target: y}", "cross_entropy"),
        ("wine", "cross_entropy"),
    ],
)
def test_the_loss_that_no_file_names_follows_what_is_known_of_the_data(dataset, loss):
    study = spec.load("digits", [f"trial.dataset={dataset}", "trial.model=mlp", "trial.mixing=none"])
    assert trial.resolve(space.corners(study.trial)[0].config)["loss"]["name"] == loss
