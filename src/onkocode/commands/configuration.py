"""Verbs around the configuration itself."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable

import yaml

from onkocode.config import load_config
from onkocode.config.loading import merge_files
from onkocode.config.schema import Config
from onkocode.records import private
from onkocode.records.errors import InputError
from onkocode.records.files import write_text
from onkocode.study import Study, slices
from onkocode.terminal import say, writes_utf8


def settings(options: Namespace) -> None:
    """Print the settings that a rule hands to its verb."""
    study = Study(merge_files(options.config), options.config)
    known = study.config.data if options.of == "data" else study.recipes
    if options.key not in known:
        raise InputError(f"--key {options.key}: not in use (known: {', '.join(known)})")
    text = SLICES[options.of](study, options.key)
    # These are for a command line, so no letter may become another one.
    say(text if writes_utf8() else json.dumps(json.loads(text), separators=(",", ":")))


SLICES: dict[str, Callable[[Study, str], str]] = {
    "data": slices.data,
    "base": slices.base,
    "description": slices.description,
    "training": slices.training,
    "testing": slices.testing,
    "thinking": slices.thinking,
}


def write_config(options: Namespace) -> None:
    """Save the merged configuration as a record; nothing reads it."""
    config = load_config(options.settings)
    text = yaml.safe_dump(config.model_dump(mode="json", exclude_unset=True), allow_unicode=True, sort_keys=False)
    write_text(
        options.output, "# The configuration of this run, merged from all files; a record, not an input.\n" + text
    )


def write_option(options: Namespace) -> None:
    """Write one option as JSON."""
    write_text(options.output, json.dumps(options.settings, ensure_ascii=False) + "\n")


def remove_private(options: Namespace) -> None:
    """Remove everything private, after asking."""
    holding = private.find_private(options.folder)
    said = (
        f"{holding.files} files ({holding.bytes / 1e6:.1f} MB) in {', '.join(map(str, holding.folders)) or 'no folder'}"
    )
    if not options.yes:
        if not sys.stdin.isatty():
            raise InputError(f"{said} would be removed; add --yes to do so without being asked")
        if input(f"{said} will be removed for good. Type yes to go on: ").strip() != "yes":
            raise InputError("nothing was removed")
    private.remove_private(options.folder, holding)
    say(f"removed {said}")


def write_schema(options: Namespace) -> None:
    """Write the JSON schema."""
    write_text(options.output, schema_text())


def schema_text() -> str:
    """Return the JSON schema of the configuration."""
    schema = Config.model_json_schema()
    schema["title"] = "onkocode configuration"
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
