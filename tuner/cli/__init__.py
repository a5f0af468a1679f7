"""The command `tuner`: arguments in, tables or one JSON document out, errors as exit codes."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; the process exits with DESIGN.md's codes."""
    from tuner.cli.app import app  # what --help needs, and no more
    from tuner.errors import TunerError

    try:
        app(prog_name="tuner")
    except TunerError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        sys.stderr.write(f"error: {error}; what was stored before is kept (`tuner doctor` looks at disk and rights)\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
