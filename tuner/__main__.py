"""`python -m tuner`: the command, where no script is on the path."""

from tuner.cli import main

main()
