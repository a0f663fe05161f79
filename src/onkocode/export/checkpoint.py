"""A trained adapter that is handed on: which checkpoint it is, that it fits its base, and what is told of it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onkocode.models.adapters import check_base
from onkocode.models.locate import ADAPTER_CONFIG
from onkocode.records.errors import InputError
from onkocode.records.files import write_text
from onkocode.records.provenance import read_provenance

VERB = "export"
CARD, AUTHORS_CARD = "README.md", "README.author.md"


def record_of(adapter: Path) -> dict[str, Any]:
    """Return the record of train-epoch or fetch-adapter, which an export hands on; empty where there is none."""
    try:
        record = read_provenance(adapter)
    except ValueError as error:
        raise InputError(f"{adapter}/provenance.json: not JSON ({error}); train that epoch again") from None
    record = (record.get("adapter") or {}) if record.get("verb") == VERB else record
    return record if record.get("verb") in ("train-epoch", "fetch-adapter") else {}


def check_checkpoint(adapter: Path, model: str, epoch: int, trained: Mapping[str, Any]) -> None:
    """Raise InputError where the adapter is another checkpoint than the one that is named."""
    if epoch < 1:
        raise InputError(f"--epoch {epoch}: an adapter is epoch 1 or later; epoch 0 is the base model itself")
    found = (trained.get("model", model), trained.get("epoch", epoch))
    if found != (model, epoch):
        raise InputError(
            f"{adapter}: is {found[0]}, epoch {found[1]}, but --model and --epoch name {model}, epoch {epoch}"
        )
    if trained.get("verb") == "fetch-adapter" and epoch != 1:
        raise InputError(f"--epoch {epoch}: a published adapter counts as epoch 1")


def check_trained_on(
    adapter: Path, config: Mapping[str, Any], trained: Mapping[str, Any], base: Mapping[str, Any]
) -> None:
    """Raise InputError where the base is another one than the adapter was trained on, as far as the records tell."""
    known = trained.get("base")
    if not known:
        check_base(config, base, None, str(adapter))
        return
    for key in ("hub", "revision", "architecture", "sha256"):
        old, new = known.get(key), base.get(key)
        if old is not None and new is not None and old != new:
            raise InputError(
                f"{adapter}: was trained on another base: its {key} was {json.dumps(old)}, that of --base is "
                f"{json.dumps(new)}; give the base.json of the adapter's own recipe"
            )


def keep_authors_card(adapter: Path, folder: Path) -> None:
    """Put the author's card into the folder; an adapter that was exported before has it there already."""
    for name in (AUTHORS_CARD, CARD):
        if (adapter / name).is_file():
            shutil.copyfile(adapter / name, folder / AUTHORS_CARD)
            return


def name_base(folder: Path, base: Mapping[str, Any]) -> None:
    """Let the adapter name its base by Hub id and commit, or by its directory's name: no local path leaves."""
    path = folder / ADAPTER_CONFIG
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base.get("hub") or Path(base["path"]).name
    config["revision"] = base.get("revision")
    write_text(path, json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def without_places(trained: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of the adapter without paths and machine."""
    kept = {key: value for key, value in trained.items() if key not in ("inputs", "hardware", "settings_sha256")}
    if isinstance(kept.get("base"), Mapping):
        kept["base"] = {key: value for key, value in kept["base"].items() if key != "path"}
    if isinstance(kept.get("settings"), Mapping):
        kept["settings"] = {key: value for key, value in kept["settings"].items() if key != "path"}
    return kept
