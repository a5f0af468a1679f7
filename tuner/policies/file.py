"""The policy file: a policy outside its study, as YAML that is written and read here.

    version: 1
    origin: trial 25 of study digits, the best of its search; not confirmed on fresh seeds
    classes: 10
    epochs: 27
    loss: {name: cross_entropy, label_smoothing: 0.0}
    mixing: {name: mixup, ratio: {name: beta, alpha: 0.15}, probability: 0.5}

Only `mixing` has to be there, in the words of a study file.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent

from tuner.catalog import Nested, entry, resolve_section
from tuner.datasets import Split
from tuner.errors import ConfigError, Problem
from tuner.losses import LOSSES, is_regression
from tuner.mixing import METHODS

Count = Annotated[int, Ge(1)]

_CROSS_ENTROPY = {"name": "cross_entropy"}
_LONGEST = 100_000


@dataclass(frozen=True)
class PolicyFile:
    """What a policy file says; `mixing` and `loss` are complete blocks.

    `epochs` is how long the trial trained, from whose end `off_epochs` counts back; `stages` are the model's submodules
    after which hidden layers are mixed, where the study named them; `origin` says where the policy comes from.
    `deviation` is that of a regression's target, which C-Mixup's bandwidth counts in; `columns` names for each feature
    of a table the column it comes from, where columns have several.
    """

    mixing: Mapping[str, Any]
    loss: Mapping[str, Any] = field(default_factory=lambda: dict(_CROSS_ENTROPY, label_smoothing=0.0))
    classes: int | None = None
    epochs: int | None = None
    stages: tuple[str, ...] = ()
    origin: str = ""
    deviation: float | None = None
    columns: tuple[str, ...] = ()

    @property
    def is_regression(self) -> bool:
        """Tell whether labels are numbers, as the loss has it, not classes."""
        return is_regression(self.loss)

    @property
    def label_smoothing(self) -> float:
        """Return the share of each target that goes evenly to all classes."""
        return float(self.loss.get("label_smoothing", 0.0))

    def as_yaml(self) -> str:
        """Return the file's text."""
        optional = {
            "origin": self.origin,
            "classes": self.classes,
            "epochs": self.epochs,
            "stages": list(self.stages),
            "deviation": self.deviation,
            "columns": list(self.columns),
        }
        values = {
            "version": 1,
            **{key: value for key, value in optional.items() if value},
            "loss": _plain(self.loss),
            "mixing": _plain(self.mixing),
        }
        yaml = YAML(typ="safe", pure=True)
        yaml.default_flow_style = False
        yaml.width = 10_000  # one line a value, however long its text
        yaml.allow_unicode = False  # otherwise U+0085 is written as it is, and read back as a line's end
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.representer.ignore_aliases = lambda _: True
        text = io.StringIO()
        yaml.dump(values, text)
        return text.getvalue()


def read(path: str | Path) -> PolicyFile:
    """Return what the policy file at `path` says.

    Raises:
        ValueError: every mistake of it, or that it is no YAML.
        OSError: it cannot be read.
    """
    try:
        return of_text(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no policy file of this tuner: {error}") from error


def of_text(text: str) -> PolicyFile:
    """Return what the text of a policy file says.

    Raises:
        ValueError: every mistake of it, or that it is no YAML.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"it has {len(text)} characters; wanted at most {_LONGEST}")
    try:
        if any(isinstance(event, AliasEvent) for event in YAML(typ="safe", pure=True).parse(text)):
            raise ValueError("aliases (*name) are not read here; write the value out")
        values = YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ValueError(f"line {mark.line + 1 if mark else 1}: {error.problem}") from None
    except (YAMLError, RecursionError, OverflowError, AssertionError) as error:  # on odd escapes, deep nesting
        raise ValueError(f"not YAML: {error}") from None
    if not isinstance(values, dict):
        raise ValueError("wanted keys and values, such as mixing: {name: mixup}")
    return of_values(values)


def of_values(values: Mapping[str, Any]) -> PolicyFile:
    """Return what a policy file of these values would say; a mixing block alone will do.

    Raises:
        ConfigError: every mistake, each with its path.
    """
    given = {"mixing": values} if "name" in values and "mixing" not in values else values
    if given.get("version", 1) != 1:
        problem = f"wanted 1, read {given['version']!r}; a newer tuner wrote it: install that"
        raise ConfigError([Problem(("version",), problem)])
    resolved = resolve_section(_FILE, given)
    for key, table in (("mixing", METHODS), ("loss", LOSSES)):
        try:
            table.build(resolved[key])
        except ValueError as error:
            raise ConfigError([Problem((key,), str(error))]) from error
    return PolicyFile(**{key: value for key, value in resolved.items() if key != "version"})


def of_trial(
    config: Mapping[str, Any], classes: int | None = None, origin: str = "", split: Split | None = None
) -> PolicyFile:
    """Return the policy of a trial's resolved configuration; `split` is its data, whose classes come after `classes`.

    Raises:
        ConfigError: there is no valid mixing block in it.
    """
    known = {
        "mixing": config.get("mixing"),
        "loss": config.get("loss", _CROSS_ENTROPY),
        "epochs": config.get("training", {}).get("epochs"),
        "stages": config.get("model", {}).get("stages", ()),
    }
    return of_values({**known, **({} if split is None else _of_data(split)), "origin": origin} | _given(classes))


def _given(classes: int | None) -> dict[str, Any]:
    return {} if classes is None else {"classes": classes}


def _of_data(split: Split) -> dict[str, Any]:
    """Return what a policy has to know of its data."""
    columns = [feature.column for feature in split.features]
    return {
        "classes": len(split.classes) or None,
        "deviation": None if split.classes else float(split.training.labels.std(dtype=np.float64)) or None,
        "columns": columns if len(set(columns)) < len(columns) else [],
    }


def _policy(
    *,
    version: Literal[1] = 1,
    origin: str = "",
    classes: Count | None = None,
    epochs: Count | None = None,
    stages: tuple[str, ...] = (),
    deviation: Annotated[float, Gt(0)] | None = None,
    columns: tuple[str, ...] = (),
    loss: Any,
    mixing: Any,
) -> None:
    """A policy outside its study."""


_FILE = entry(_policy, nested={"loss": Nested(LOSSES, _CROSS_ENTROPY), "mixing": Nested(METHODS)})


def _plain(value: Any) -> Any:
    """Return nested values as YAML's own: a tuple is a list."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
