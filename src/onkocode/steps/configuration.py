"""Steps around the configuration itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Literal

from onkocode.records.errors import InputError
from onkocode.records.files import write_text
from onkocode.steps.app import step
from onkocode.steps.options import Json, SomePaths
from onkocode.terminal import say, writes_utf8

Slice = Literal["data", "base", "description", "training", "coder", "testing", "thinking"]


@step(by_hand=True)
def settings(*, config: SomePaths, of: Slice, key: str) -> None:
    """Print the settings that a rule hands to its verb, from configuration files.

    Args:
        config: configuration files, later ones over earlier ones
        of: which settings
        key: a {model} key, or a data key
    """
    from onkocode.config.loading import merge_files
    from onkocode.study import Study, slices

    study = Study(merge_files(config), config)
    models = {"description": study.recipes, "testing": study.recipes, "coder": study.fitted_models}
    known = study.config.data if of == "data" else models.get(of, study.language_models)
    if key not in known:
        problem = "has no such settings" if key in study.recipes else "not in use"
        raise InputError(f"--key {key}: {problem} (known: {', '.join(known)})")
    text = getattr(slices, of)(study, key)
    # These are for a command line, so no letter may become another one.
    say(text if writes_utf8() else json.dumps(json.loads(text), separators=(",", ":")))


@step()
def write_config(*, settings: Json, output: Path) -> None:
    """Check a merged configuration and save it with the results, as a record; nothing reads it.

    Args:
        settings: the merged configuration: JSON, or @FILE; keys left out have their defaults
        output: file to write
    """
    import yaml

    from onkocode.config import load_config

    config = load_config(settings)
    text = yaml.safe_dump(config.model_dump(mode="json", exclude_unset=True), allow_unicode=True, sort_keys=False)
    write_text(output, "# The configuration of this run, merged from all files; a record, not an input.\n" + text)


@step()
def write_option(*, settings: Json, output: Path) -> None:
    """Write settings that change no result to a file.

    Args:
        settings: the option: JSON, or @FILE
        output: file to write
    """
    write_text(output, json.dumps(settings, ensure_ascii=False) + "\n")


@step(by_hand=True)
def remove_private(folder: Path, /, *, yes: bool = False) -> None:
    """Remove everything private that was written: users' texts, answers to them, pairs of the leakage check.

    Args:
        folder: the folder of pathvars.private, mostly `private`
        yes: do not ask
    """
    from onkocode.records import private

    holding = private.find_private(folder)
    said = (
        f"{holding.files} files ({holding.bytes / 1e6:.1f} MB) in {', '.join(map(str, holding.folders)) or 'no folder'}"
    )
    if not yes:
        if not sys.stdin.isatty():
            raise InputError(f"{said} would be removed; add --yes to do so without being asked")
        if input(f"{said} will be removed for good. Type yes to go on: ").strip() != "yes":
            raise InputError("nothing was removed")
    private.remove_private(folder, holding)
    say(f"removed {said}")


@step(by_hand=True)
def write_schema(*, output: Path) -> None:
    """Write the JSON schema of the configuration.

    Args:
        output: file to write
    """
    write_text(output, schema_text())


def schema_text() -> str:
    """Return the JSON schema of the configuration."""
    from onkocode.config.schema import Config

    schema = Config.model_json_schema()
    schema["title"] = "onkocode configuration"
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
