"""The folder with the user's own code: what of it travels to a cluster, and what stays behind."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

IGNORE_FILES = (".gitignore", ".rayignore")
"""They are heeded here and do not travel: Ray's upload would heed them again, for the order and the study, too."""

_never = shutil.ignore_patterns(".git", ".venv", "venv", "__pycache__", "*.pyc", ".*_cache", "tuner-home", "tuner-job")
_KEEP_VARIABLE = "RAY_RUNTIME_ENV_IGNORE_GITIGNORE"  # Ray's own: with 1 only .rayignore counts

_Rule = Callable[[Path], bool]


@dataclass(frozen=True)
class Code:
    """Somebody's own code: the files of a folder that travel, and those that its ignore files keep behind."""

    folder: Path
    travels: tuple[Path, ...]
    stays: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        """Return how large what travels is."""
        return sum(path.lstat().st_size for path in self.travels)

    def copy(self, to: Path) -> None:
        """Copy what travels; links stay links."""
        for path in self.travels:
            copied = to / path.relative_to(self.folder)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copied, follow_symlinks=False)


def read(folder: Path) -> Code:
    """Look through a folder, by the rules of its .gitignore and .rayignore files as Ray reads them."""
    folder = folder.absolute()
    found = list(_found(folder))
    travels = tuple(path for path, stays in found if not stays)
    return Code(folder, travels, tuple(path for path, stays in found if stays))


def _found(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Yield every file that is anybody's own, and whether a rule keeps it; a folder that stays stands for all in it."""
    rules: dict[Path, list[_Rule]] = {}
    for place, folders, files in os.walk(folder):
        here = Path(place)
        rules[here] = [*rules.get(here.parent, ()), *_rules(here)]
        own = {*folders, *files} - _never(place, [*folders, *files]) - set(IGNORE_FILES)
        stays = {name for name in own if any(rule(here / name) for rule in rules[here])}
        folders[:] = sorted(name for name in set(folders) & own - stays if not (here / name).is_symlink())
        yield from ((here / name, name in stays) for name in sorted(own - set(folders)))


def _rules(folder: Path) -> list[_Rule]:
    from ray._private.runtime_env.packaging import get_excludes_from_ignore_files  # Ray has no public name for it

    found: list[_Rule] = get_excludes_from_ignore_files(
        folder, os.environ.get(_KEEP_VARIABLE) != "1", logging.getLogger(__name__)
    )
    return found
