"""Which catalogue files a table of questions goes back to, by the provenance records beside its inputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onkocode.records.ids import hash_file
from onkocode.records.provenance import read_provenance


@dataclass(frozen=True)
class CatalogueSource:
    """A catalogue of a data set and the file that it was read from; None where no record tells."""

    name: str  # <dataset>-<version>
    file: str | None = None  # name of the file, or its address
    sha256: str | None = None
    terms: str | None = None  # where its terms of use stand


def catalogue_sources(table: Path) -> list[CatalogueSource]:
    """Return the catalogues of a table of build-questions, as far as the records tell.

    The table's record names its inputs, beside which lie those of the parsed catalogues, and beside their inputs those
    of the files as they were fetched. A record beside an input that has changed since is not used.
    """
    found: dict[str, CatalogueSource] = {}
    for described in _inputs(recorded(table)).values():
        parsed = _file(str(described.get("path", "")), table)
        if parsed is None:
            continue
        unchanged = parsed.is_file() and hash_file(parsed) == described.get("sha256")
        record = recorded(parsed) if unchanged else {}
        name = _name(record) or parsed.parent.name
        if name not in found or found[name].sha256 is None:
            found[name] = _source(name, record, parsed)
    return list(found.values())


def recorded(result: Path) -> dict[str, Any]:
    """Return the provenance record beside a result; empty where it is missing or broken."""
    try:
        record = read_provenance(result)
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _source(name: str, record: dict[str, Any], parsed: Path) -> CatalogueSource:
    described = _inputs(record).get("file", {})
    path, sha256 = str(described.get("path", "")), described.get("sha256")
    if not path:
        return CatalogueSource(name)
    original = _file(path, parsed)
    fetched = recorded(original) if original is not None else {}
    if fetched.get("sha256") != sha256:
        return CatalogueSource(name, Path(path).name, sha256)
    origin = str(fetched.get("origin", path))
    shown = origin if "://" in origin else Path(origin).name  # a published data set tells no local path
    member = str(fetched.get("member", "") or "")
    return CatalogueSource(name, f"{shown}: {Path(member).name}" if member else shown, sha256, fetched.get("terms"))


def _inputs(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    inputs = record.get("inputs")
    if not isinstance(inputs, dict):
        return {}
    return {role: described for role, described in inputs.items() if isinstance(described, dict)}


def _name(record: dict[str, Any]) -> str | None:
    settings = record.get("settings")
    if not isinstance(settings, dict) or not {"dataset", "version"} <= set(settings):
        return None
    return f"{settings['dataset']}-{settings['version']}"


def _file(path: str, beside: Path) -> Path | None:
    """Return a recorded path, which is relative to the folder in which the workflow ran; None where it is not there."""
    folders = [Path(), *beside.resolve().parents]
    return next((folder / path for folder in folders if path and (folder / path).is_file()), None)
