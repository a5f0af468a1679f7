"""How metrics, policies, verdicts and durations are written for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.results import TrialRecord, flatten

_SHARES = {"accuracy", "ece"}

VERDICTS: Mapping[str, str] = {
    "use": "use it",
    "no_evidence": "no evidence that mixing helps here: train without it",
    "not_confirmed": "not confirmed: train without mixing for now",
}
"""What each verdict asks of the reader."""


def metric(name: str, value: float) -> str:
    """Write a metric: shares in percent, others with four digits."""
    return f"{value * 100:.2f} %" if _is_share(name) else f"{value:.4f}"


def difference(name: str, value: float) -> str:
    """Write the difference of two values of a metric, with its sign."""
    return f"{value * 100:+.2f} points" if _is_share(name) else f"{value:+.4f}"


def block(mixing: Mapping[str, Any]) -> str:
    """Write a mixing block as `policy` writes it."""
    return policy(flatten({"mixing": mixing}))


def policy(params: Mapping[str, Any]) -> str:
    """Write a mixing policy in a few words, for example `mixup, beta alpha 0.31, on 75 % of batches`."""
    name = params.get("mixing.name", "?")
    words = [str(name)]
    if law := params.get("mixing.ratio.name"):
        own = {key.rpartition(".")[2]: value for key, value in params.items() if key.startswith("mixing.ratio.")}
        told = [f"{key} {_number(own[key])}" for key in ("count", "alpha", "sigma", "shares") if key in own]
        words.append(" ".join([law, *told]))
    if (share := params.get("mixing.probability", 1.0)) != 1.0:
        words.append(f"on {share:.0%} of batches")
    if (depths := params.get("mixing.depths")) and list(depths) != [0]:
        words.append(f"depths {', '.join(map(str, depths))}")
    return ", ".join(words)


def trial(record: TrialRecord) -> str:
    """Write a trial as its number and policy."""
    return f"trial {record.number} ({policy(record.params)})"


def duration(seconds: float) -> str:
    """Write a duration as minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _is_share(name: str) -> bool:
    return name.rpartition("_")[2] in _SHARES


def _number(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
