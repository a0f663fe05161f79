"""In which other versions of a catalogue a code exists: those whose label spaces lie beside the one that is in use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from onkocode.catalogues.vocabulary.label_space import LabelSpace
from onkocode.records.errors import InputError
from onkocode.records.schemas import read_table


@dataclass
class OtherVersions:
    """Looks for codes in `<dataset>-<version>/codes.parquet` beside the folders of the label spaces in use.

    Attributes:
        used: the files of the label spaces in use, by system of codes.
    """

    used: Mapping[str, Path] = field(default_factory=dict)
    _spaces: dict[str, dict[str, LabelSpace]] = field(default_factory=dict)

    def remark(self, system: str, code: str) -> str:
        """Return which version is in use, and which others have a code; empty where the files do not tell."""
        path = self.used.get(system)
        dataset = _dataset(system)
        if path is None or not path.absolute().parent.name.startswith(f"{dataset}-"):
            return ""
        if system not in self._spaces:
            self._spaces[system] = _beside(path.absolute(), dataset, system)
        found = [name for name, space in self._spaces[system].items() if space.exists(code)]
        return f" ({path.absolute().parent.name}{', but in ' + ' and '.join(found) if found else ''})"


def _dataset(system: str) -> str:
    return "icdo3" if system in ("topography", "morphology") else system


def _beside(path: Path, dataset: str, system: str) -> dict[str, LabelSpace]:
    """Return the label spaces of other versions by the names of their folders; none of files that cannot be read."""
    spaces = {}
    for other in sorted(path.parent.parent.glob(f"{dataset}-*/{path.name}")):
        if other.parent == path.parent:
            continue
        try:
            spaces[other.parent.name] = LabelSpace.of(read_table(other, "codes"), system)
        except InputError:
            continue
    return spaces
