"""What a study needs from elsewhere: base models, published adapters, catalogues; and whether it is there."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onkocode.catalogues.formats.parse import DATASETS
from onkocode.config.models import HubAdapter, HubBase
from onkocode.models.adapters import ADAPTER_FILES
from onkocode.models.hub.cache import Place, missing
from onkocode.models.hub.checking import damaged
from onkocode.models.hub.listing import size_text
from onkocode.models.hub.snapshot import Wanted
from onkocode.models.locate import MODEL_FILES, adapter_weights, weight_files
from onkocode.models.revisions import known_commit
from onkocode.records.errors import InputError
from onkocode.records.ids import hash_file
from onkocode.records.provenance import read_provenance
from onkocode.study import Study
from onkocode.text_tables import text_table

WHOLE, YOURS = "there", "yours"
SHOWN = 3  # files named in a table


@dataclass(frozen=True)
class Catalogue:
    """A catalogue of the study.

    Attributes:
        dataset: alphaid, icd10gm, icdo3, ops, crosswalk or registries.
        version: its version.
        url: where it is downloaded from; empty: no address is known.
        local: the user's own file; empty: it is downloaded.
        output: where the workflow keeps what it retrieved.
    """

    dataset: str
    version: str
    url: str
    local: str
    output: Path


@dataclass(frozen=True)
class Item:
    """Whether something is there: a row of the table."""

    what: str
    name: str
    version: str
    size: int | None
    state: str

    @property
    def is_there(self) -> bool:
        """Tell whether nothing has to be fetched."""
        return self.state in (WHOLE, YOURS)


def chosen_models(study: Study, chosen: Sequence[str]) -> list[str]:
    """Return the models of the keys, or all of the study; raises InputError for an unknown key."""
    unknown = [key for key in chosen if key not in study.recipes and key not in study.models_of]
    if unknown:
        known = ", ".join(dict.fromkeys([*study.models_of, *study.recipes]))
        raise InputError(f"--model {unknown[0]}: not among `models` (known: {known})")
    named = [model for key in chosen for model in study.models_of.get(key, [key])]
    return list(dict.fromkeys(named)) or study.models


def hub_files(study: Study, models: Sequence[str], results: Path) -> list[Wanted]:
    """Return what the models need of the Hub, each repository once.

    A revision that the study has resolved before stays the commit that it was.
    """
    found: list[Wanted] = []
    for model in models:
        base = study.base_of(model)
        if base is None:
            continue
        recipe, folder = study.language_models[model].config, results / "models"
        if isinstance(recipe.base, HubBase):
            found.append(_wanted(recipe.base, folder / base / "base.json", MODEL_FILES, f"recipes.{model}.base"))
        if isinstance(recipe.adapter, HubAdapter):
            found.append(_wanted(recipe.adapter, folder / model / "adapter", ADAPTER_FILES, f"recipes.{model}.adapter"))
    return list({(wanted.hub, wanted.revision, wanted.patterns): wanted for wanted in reversed(found)}.values())[::-1]


def _wanted(source: HubBase | HubAdapter, output: Path, patterns: Sequence[str], key: str) -> Wanted:
    revision = known_commit(output, source.model_dump(mode="json")) or source.revision
    return Wanted(source.hub, revision, tuple(patterns), key)


def catalogues(study: Study, models: Sequence[str], results: Path) -> tuple[list[Catalogue], list[str]]:
    """Return the catalogues that the models and all test sets need, and why others cannot be had."""
    built = [study.config.tiny_models[key].data for key in map(study.built, models) if key is not None]
    keys = dict.fromkeys([*(study.recipes[model].config.data for model in models), *built])
    names = [name for key in keys for each in (*DATASETS, "crosswalk") for name in study.catalogues(each, key)]
    names += [study.text_codes(each, key) for key in study.test_sets for each in ("icd10gm", "icdo3")]
    found, problems = [], []
    for name in dict.fromkeys([*names, *study.registries]):
        dataset, _, version = name.partition("-")
        source = study.sources.get((dataset, version))
        try:
            local = "".join(study.local_catalogue(dataset, version))
            output = results / "catalogues" / name / "source"
            found.append(Catalogue(dataset, version, source.url if source else "", local, output))
        except InputError as error:
            problems.append(str(error))
    return found, problems


def state_of_files(wanted: Wanted, again: bool) -> Item:
    """Return whether the files of a repository are in the cache, and right; nothing is asked or removed.

    Args:
        wanted: what is needed.
        again: hash all files, those too that were right before.
    """
    place = Place(wanted.hub)
    commit = place.commit_of(wanted.revision)
    listed = place.listed(commit) if commit else None
    what = "adapter" if wanted.key.endswith("adapter") else "base"
    item = Item(what, wanted.hub, wanted.revision, None, "missing")
    if commit is None or listed is None:
        return item
    asked = listed.only(wanted.patterns)
    lacking, bad = missing(place, asked), damaged(place, asked, again)
    paths = [place.snapshot(commit) / file.name for file in asked.files]
    size = sum(path.stat().st_size for path in paths if path.is_file())
    said = [
        f"{word}: {_some([file.name for file in files])}"
        for word, files in (("missing", lacking), ("damaged", bad))
        if files
    ]
    return replace(
        item, version=commit, size=size, state="; ".join(said) or _without_weights(what, place.snapshot(commit))
    )


def _without_weights(what: str, snapshot: Path) -> str:
    """Return what a snapshot lacks that nothing but its own index lists."""
    try:
        _ = adapter_weights(snapshot) if what == "adapter" else weight_files(snapshot)
    except InputError:
        return "missing: weights"
    return WHOLE


def state_of_catalogue(catalogue: Catalogue) -> Item:
    """Return whether a catalogue was retrieved and is unchanged since."""
    item = Item("catalogue", catalogue.dataset, catalogue.version, None, "missing")
    if catalogue.local:
        return replace(item, size=Path(catalogue.local).stat().st_size, state=YOURS)
    if not catalogue.output.is_file():
        return item
    right = _recorded(catalogue.output).get("sha256") == hash_file(catalogue.output)
    return replace(item, size=catalogue.output.stat().st_size, state=WHOLE if right else "damaged")


def _recorded(result: Path) -> Mapping[str, object]:
    try:
        return read_provenance(result)
    except (OSError, json.JSONDecodeError):
        return {}


def items_table(items: Sequence[Item]) -> str:
    """Return the table of what is there."""
    rows = [
        (item.what, item.name, item.version, "-" if item.size is None else size_text(item.size), item.state)
        for item in items
    ]
    return text_table(["what", "name", "version", "size", "state"], rows, left=5)


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
