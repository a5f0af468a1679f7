"""Ending a process from outside as Ctrl-C ends it."""

from __future__ import annotations

import signal


def as_interrupt(*_: object) -> None:
    """Handle SIGTERM as SIGINT is handled now; where that is ignored, as in a script's `tuner run ... &`, end too.

    Raises:
        KeyboardInterrupt: SIGINT is not another's to handle (Ray Tune stops its trials by a handler of its own).
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)
