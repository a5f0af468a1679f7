"""The type checker of the test run: beartype, with whole numbers allowed where numbers are wanted (PEP 484)."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
