"""How metrics, policies, verdicts and durations are written for people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tuner.results import OverSeeds, TrialRecord
from tuner.selection.words import difference as signed
from tuner.selection.words import is_share, number

_KNOWN_BY = ("count", "alpha", "sigma", "gamma", "shares")
_SAID = {"name", "import", "ratio", "policies", "weights", "probability", "depths"}

VERDICTS: Mapping[str, str] = {
    "use": "use it",
    "no_evidence": "no evidence that mixing helps here: train without it",
    "not_confirmed": "not confirmed: train without mixing for now",
}
"""What each verdict asks of the reader."""

WORSE = "mixing is worse here on fresh seeds: train without it"
"""What is said where that is shown, whatever the verdict is called."""


def metric(name: str, value: float) -> str:
    """Write a metric: shares in percent, others with four digits."""
    return f"{value * 100:.2f} %" if is_share(name) else number(name, value)


def over_seeds(name: str, known: OverSeeds) -> str:
    """Write a configuration's value: of several seeds the mean, its standard deviation and how many there are."""
    if known.spread is None:
        return metric(name, known.mean)
    spread = f"{known.spread * 100:.2f}" if is_share(name) else number(name, known.spread)
    return f"{metric(name, known.mean)} ± {spread} ({len(known.trials)} seeds)"


def difference(name: str, value: float) -> str:
    """Write the difference of two values of a metric, with its sign."""
    return signed(name, value)


def policy(params: Mapping[str, Any]) -> str:
    """Write a trial's mixing policy by its parameters, as `block` does."""
    mixing = _nested({name: value for name, value in params.items() if name.startswith("mixing.")}).get("mixing", {})
    return block(mixing)


def block(mixing: Mapping[str, Any]) -> str:
    """Write a mixing block in a few words, for example `mixup, beta alpha 0.31, on 75 % of batches`.

    The method's and the distribution's own settings are left out where they are what one gets without naming them, so
    that two policies which differ read differently.
    """
    name = str(mixing.get("name", mixing.get("import", "?")))
    usual = _usual_of_method(name)
    told = [f"{name} ({_switched(mixing)})" if mixing.get("policies") else name]
    if ratio := mixing.get("ratio"):
        told.append(_law(ratio))
    if (share := mixing.get("probability", 1.0)) != 1.0:
        told.append(f"on {100 * share:.3g} % of batches")
    if (depths := mixing.get("depths")) and list(depths) != [0]:
        told.append(f"depths {', '.join(map(str, depths))}")
    own = {key: value for key, value in mixing.items() if key not in _SAID}
    return ", ".join([*told, *(_setting(key, value) for key, value in own.items() if not _is_usual(usual, key, value))])


def capital(text: str) -> str:
    """Return a sentence's beginning with a capital letter."""
    return text[:1].upper() + text[1:]


def trial(record: TrialRecord) -> str:
    """Write a trial as its number and policy."""
    return f"trial {record.number} ({policy(record.params)})"


def duration(seconds: float) -> str:
    """Write a duration as minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _switched(mixing: Mapping[str, Any]) -> str:
    """Write the policies of a switch, each with its share of the batches where these are not equal."""
    policies, weights = mixing["policies"], mixing.get("weights") or ()
    total = sum(weights)
    shares = [f"{100 * weight / total:.3g} % " for weight in weights] if len(set(weights)) > 1 and total else []
    return "; ".join(f"{shares[place] if shares else ''}{block(one)}" for place, one in enumerate(policies))


def _law(ratio: Mapping[str, Any]) -> str:
    """Write a distribution: what it is known by always, its other settings where they are not the usual ones."""
    name = str(ratio.get("name", ratio.get("import", "?")))
    usual = _usual_of_law(name)
    known_by = [_setting(key, ratio[key]) for key in _KNOWN_BY if ratio.get(key) is not None]
    others = {key: value for key, value in ratio.items() if key not in {*_KNOWN_BY, "name", "import"}}
    return " ".join(
        [name, *known_by, *(_setting(key, value) for key, value in others.items() if not _is_usual(usual, key, value))]
    )


def _setting(name: str, value: Any) -> str:
    """Write one setting; one that can only be on or off is its name, or `not` and its name."""
    said = name.replace("_", " ")
    if isinstance(value, bool):
        return said if value else f"not {said}"
    return f"{said} {_number(value)}"


def _is_usual(usual: Mapping[str, Any], name: str, value: Any) -> bool:
    return name in usual and _plain(usual[name]) == _plain(value)


@cache
def _usual_of_method(name: str) -> Mapping[str, Any]:
    """Return a method's settings as they are where a study file does not name them; none of one's own method."""
    from tuner.mixing import METHODS  # torch takes a second, which not every command should wait for

    return {one.name: one.default for one in METHODS[name].parameters} if name in METHODS else {}


@cache
def _usual_of_law(name: str) -> Mapping[str, Any]:
    from tuner.mixing import RATIOS  # as above

    return {one.name: one.default for one in RATIOS[name].parameters} if name in RATIOS else {}


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `flatten` was given; sections with the keys 0, 1 ... were a list."""
    sections: dict[str, dict[str, Any]] = {}
    found: dict[str, Any] = {}
    for name, value in flat.items():
        first, _, rest = name.partition(".")
        if rest:
            sections.setdefault(first, {})[rest] = value
        else:
            found[first] = value
    for first, section in sections.items():
        inner = _nested(section)
        found[first] = [inner[key] for key in sorted(inner, key=int)] if all(map(str.isdigit, inner)) else inner
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _number(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_number, value)) + "]"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
