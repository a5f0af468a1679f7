"""A recommendation as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rich.box
from rich.table import Table
from rich.text import Text

from tuner.report import words
from tuner.selection.words import chance, gain, interval


def renderables(found: Mapping[str, Any]) -> list[Table | Text]:
    """Return a recommendation (as JSON) as people read it: the answer, the reasons, the candidates."""
    metric = found["effect"]["metric"]
    is_worse = found["effect"]["high"] is not None and found["effect"]["high"] < 0
    lines = [
        f"{words.block(found['policy'])}: {words.WORSE if is_worse else words.VERDICTS[found['verdict']]}",
        *(f"  {one}" for one in found["reasons"]),
    ]
    lines += [f"  note: {one}" for one in found["warnings"]]
    table = Table("policy", "why", "seeds", "mean", "against no mixing", "interval", "p", box=rich.box.SIMPLE)
    for one in found["candidates"]:
        difference = "" if one["is_baseline"] or one["estimate"] is None else gain(metric, one["estimate"])
        known = one["low"] is not None and not one["is_baseline"]
        table.add_row(
            words.block(one["mixing"]),
            one["origin"],
            str(len(one["scores"])),
            "" if one["mean"] is None else words.metric(metric, one["mean"]),
            difference,
            interval(metric, one["low"], one["high"]) if known else "",
            chance(one["p_value"]) if known else "",
        )
    return [table, Text("\n".join(lines))]
