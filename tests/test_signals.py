"""A process ends by SIGTERM as by Ctrl-C, however it was started."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import signal, sys, time
from tuner.signals import as_interrupt
if sys.argv[1] == "ignored":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if sys.argv[1] == "handled":
    def own(*_):
        print("handled", flush=True)
        sys.exit(0)
    signal.signal(signal.SIGINT, own)
signal.signal(signal.SIGTERM, as_interrupt)
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize(("sigint", "said"), [("default", "interrupted"), ("ignored", "interrupted"), ("handled",) * 2])
def test_sigterm_ends_a_process_as_ctrl_c_does(sigint: str, said: str):
    with subprocess.Popen([sys.executable, "-c", PROGRAM, sigint], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == f"{said}\n"
        assert process.wait(30) == 0
