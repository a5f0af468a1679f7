"""How long `tuner --help` takes, against the same interpreter doing nothing (`python -c pass`)."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from measure import Target, arguments, in_turns, median_ratio, print_document

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "tuner --help": [str(Path(sys.executable).with_name("tuner")), "--help"],
    "tuner run --help": [str(Path(sys.executable).with_name("tuner")), "run", "--help"],
}


def main() -> None:
    parser = arguments("tuner --help against python -c pass")
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    rounds = 3 if options.quick else options.rounds
    seconds = in_turns({name: runner(command) for name, command in COMMANDS.items()}, rounds)
    nothing = seconds["python -c pass"]
    ratios = {name: median_ratio(values, nothing) for name, values in seconds.items()}
    print_document(
        "cli_help",
        options.quick,
        [Target("tuner --help / python -c pass", ratios["tuner --help"], 10, 10, better="lower")],
        setting={"rounds": rounds},
        median_milliseconds={name: 1000 * statistics.median(values) for name, values in seconds.items()},
        ratios=ratios,
    )


def runner(command: list[str]) -> Callable[[], object]:
    """Return a function that runs a command to its end."""
    return lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main()
