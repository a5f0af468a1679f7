"""What of a configuration is made for another kind of data: images for tables, classes for numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tuner.catalog import called
from tuner.errors import Problem
from tuner.losses import LOSSES
from tuner.mixing import METHODS, SALIENCIES
from tuner.models import MODELS, ModelFacts


def misfits(config: Mapping[str, Any], *, classes: int, is_table: bool) -> Iterator[Problem]:
    """Yield what of a resolved configuration does not go with its data; `classes` is 0 for a regression."""
    yield from _of_labels(config, classes)
    yield from _of_table(config) if is_table else _of_images(config)


def _of_labels(config: Mapping[str, Any], classes: int) -> Iterator[Problem]:
    data, loss = called(config["dataset"]), config["loss"]
    wanted, are = ("classes", "classes") if classes else ("numbers", "numbers to be predicted (a regression)")
    if LOSSES.entry_of(loss).facts.targets != wanted:
        fitting = ", ".join(name for name, known in LOSSES.items() if known.facts.targets == wanted)
        message = f"{called(loss)} does not fit {data}, whose labels are {are}; set loss to one of {fitting}"
        yield Problem(("loss",), message)
    for method in METHODS.build(config["mixing"]).methods():
        saliency = None if method.saliency is None else SALIENCIES[method.saliency]
        if method.facts.labels not in ("any", wanted):
            message = f"{method.name} is for labels that are {method.facts.labels}; those of {data} are {are}"
            yield Problem(("mixing",), f"{message}; mixup takes both")
        elif not classes and saliency is not None and saliency.extra_forward:
            message = f"saliency {method.saliency} asks for the loss of a class; the labels of {data} are {are}"
            yield Problem(("mixing",), f"{message}; set saliency to centre_surround")


def _of_table(config: Mapping[str, Any]) -> Iterator[Problem]:
    data, model, training = called(config["dataset"]), MODELS.entry_of(config["model"]), config["training"]
    is_table = f"{data} is a table"
    if isinstance(model.facts, ModelFacts) and not model.facts.takes_tables:
        fitting = ", ".join(name for name, known in MODELS.items() if known.facts.takes_tables)
        yield Problem(("model",), f"{called(config['model'])} takes images, and {is_table}; set model to {fitting}")
    if training["augment"]:
        yield Problem(("training", "augment"), f"augmentations change images, and {is_table}; leave augment out")
    if training["normalize"] != "dataset":
        message = f"normalize: unit is for the bytes of images, and {is_table}; leave normalize out"
        yield Problem(("training", "normalize"), message)
    for method in METHODS.build(config["mixing"]).methods():
        if method.facts.inputs == "image":
            fitting = ", ".join(name for name, known in METHODS.items() if known.facts.inputs != "image")
            message = f"{method.name} mixes images, and {is_table}; methods that take tables: {fitting}"
            yield Problem(("mixing",), message)


def _of_images(config: Mapping[str, Any]) -> Iterator[Problem]:
    for method in METHODS.build(config["mixing"]).methods():
        if method.facts.inputs == "table":
            message = f"{method.name} mixes the columns of tables, and {called(config['dataset'])} is of images"
            yield Problem(("mixing",), f"{message}; use cutmix")
