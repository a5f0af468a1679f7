"""Entries are read off signatures; configurations come out complete, or with every mistake."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from annotated_types import Ge, Gt

from tuner.catalog import REQUIRED, Nested, Table, entry, resolve, resolve_section
from tuner.datasets import DATASETS
from tuner.errors import ConfigError, Problem
from tuner.losses import LOSSES
from tuner.mixing import METHODS
from tuner.mixing import RATIOS as RATIO_DISTRIBUTIONS
from tuner.models import MODELS
from tuner.training.augment import AUGMENTATIONS
from tuner.training.optimizer import OPTIMIZERS
from tuner.training.schedule import SCHEDULES

ALL = [DATASETS, MODELS, LOSSES, METHODS, RATIO_DISTRIBUTIONS, AUGMENTATIONS, OPTIMIZERS, SCHEDULES]


def engine(*, power: Annotated[float, Gt(0)] = 90, fuel: str = "petrol") -> tuple[Any, ...]:
    """An engine.

    Not read.
    """
    return ("engine", power, fuel)


def wheel(*, size: Annotated[int, Ge(1)]) -> tuple[Any, ...]:
    """A wheel
    of a car.
    """
    return ("wheel", size)


ENGINES = Table("engine", {"engine": entry(engine)})
WHEELS = Table("wheel", {"wheel": entry(wheel)})


def car(owner: str, *, doors: int = 4, engine: Any, wheels: Any, mascot: str | None = None) -> tuple[Any, ...]:
    """A car."""
    return (owner, doors, engine, wheels, mascot)


NESTED = {"engine": Nested(ENGINES, {"name": "engine"}), "wheels": Nested(WHEELS, (), many=True)}
CARS = Table("car", {"car": entry(car, nested=NESTED, source="Benz 1886")})


def problems(table: Table, config: Any) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        resolve(table, config, ("trial",))
    return list(caught.value.problems)


def test_entry_is_read_off_the_signature_and_the_docstring():
    parameters = {parameter.name: parameter for parameter in CARS["car"].parameters}
    assert list(parameters) == ["doors", "engine", "wheels", "mascot"]
    assert parameters["doors"].default == 4
    assert WHEELS["wheel"].parameters[0].default is REQUIRED
    assert (ENGINES["engine"].summary, WHEELS["wheel"].summary) == ("An engine.", "A wheel of a car.")
    assert CARS["car"].source == "Benz 1886"


def test_bare_name_is_completed_all_the_way_down_and_built():
    config = resolve(CARS, "car")
    assert config == {
        "name": "car",
        "doors": 4,
        "engine": {"name": "engine", "power": 90.0, "fuel": "petrol"},
        "wheels": [],
        "mascot": None,
    }
    assert type(config["engine"]["power"]) is float
    assert CARS.build(config, "Bertha") == ("Bertha", 4, ("engine", 90.0, "petrol"), (), None)


def test_list_of_entries_is_built_in_order():
    config = resolve(CARS, {"name": "car", "wheels": [{"name": "wheel", "size": 2}, {"name": "wheel", "size": 1}]})
    assert CARS.build(config, "x")[3] == (("wheel", 2), ("wheel", 1))


def test_every_mistake_is_found_each_at_its_path():
    found = problems(
        CARS,
        {"name": "car", "dors": 3, "doors": "4", "engine": "turbine", "wheels": [{"name": "wheel"}, {"size": 1}, 7]},
    )
    assert found == [
        Problem(
            ("trial", "dors"),
            "unknown key 'dors' of car; allowed: doors, engine, wheels, mascot; did you mean doors?",
        ),
        Problem(("trial", "doors"), "wanted a whole number, read the text '4'"),
        Problem(("trial", "engine", "name"), "unknown engine 'turbine'; known: engine"),
        Problem(("trial", "wheels", 0), "wheel needs size: a whole number >= 1"),
        Problem(("trial", "wheels", 1), "the wheel needs a name; known: wheel"),
        Problem(("trial", "wheels", 2), "wanted a wheel as {name: ...}, read 7; known: wheel"),
    ]


@pytest.mark.parametrize(
    ("config", "path", "words"),
    [
        (None, (), "wanted a car as {name: ...}, read null; known: car"),
        ([], (), "wanted a car as {name: ...}, read []; known: car"),
        ({}, (), "the car needs a name; known: car"),
        ({"name": "cat"}, ("name",), "unknown car 'cat'; known: car; did you mean car?"),
        ({"name": 3}, ("name",), "unknown car 3; known: car"),
        ({"name": ["car"]}, ("name",), "unknown car ['car']; known: car; did you mean car?"),
        ({"name": "car", "wheels": {"name": "wheel"}}, ("wheels",), "wanted a list of wheels, read {'name': 'wheel'}"),
        ({"name": "car", 5: 1}, (5,), "unknown key 5 of car; allowed: doors, engine, wheels, mascot"),
    ],
)
def test_what_is_no_entry_is_refused(config, path, words):
    assert problems(CARS, config) == [Problem(("trial", *path), words)]


def test_section_is_completed_without_a_name():
    assert resolve_section(ENGINES["engine"], {"power": 5}) == {"power": 5.0, "fuel": "petrol"}
    with pytest.raises(ConfigError, match="wanted keys and values, read the text 'fast'"):
        resolve_section(ENGINES["engine"], "fast")
    with pytest.raises(ConfigError, match="unknown key 'name'; allowed: power, fuel"):
        resolve_section(ENGINES["engine"], {"name": "engine"})


def test_parameters_tell_their_type_range_and_default():
    shown = [parameter.as_json() for parameter in (*ENGINES["engine"].parameters, *WHEELS["wheel"].parameters)]
    assert shown == [
        {"name": "power", "required": False, "type": "a number > 0", "low": 0, "default": 90},
        {"name": "fuel", "required": False, "type": "text", "default": "petrol"},
        {"name": "size", "required": True, "type": "a whole number >= 1", "low": 1},
    ]
    nested = CARS["car"].parameters[1].as_json()
    assert nested == {
        "name": "engine",
        "required": False,
        "type": "engine",
        "choices": ["engine"],
        "default": {"name": "engine"},
    }


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.kind)
def test_every_entry_of_the_product_has_a_summary_and_defaults_that_pass_its_own_checks(table):
    for name, line in table.items():
        assert line.summary.endswith("."), name
        required = [parameter for parameter in line.parameters if parameter.default is REQUIRED]
        given = {parameter.name: "x" for parameter in required}
        resolved = resolve(table, {"name": name, **given})
        assert set(resolved) == {"name", *(parameter.name for parameter in line.parameters)}
