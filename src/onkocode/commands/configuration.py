"""Verbs around the configuration itself."""

import json
from argparse import Namespace
from typing import Any

import yaml
from pydantic import BaseModel

from onkocode.config import load_config, load_config_files, resolve_recipe
from onkocode.config.schema import Config
from onkocode.records.errors import InputError
from onkocode.records.files import write_text


def settings(options: Namespace) -> None:
    """Print settings as JSON."""
    config = load_config_files(options.config)
    known: dict[str, Any] = dict(config.data) if options.of == "data" else dict(config.recipes)
    if options.of not in ("training", "testing", "recipe", "data"):
        raise InputError(f"--of {options.of}: must be training, testing, recipe or data")
    if options.key not in known:
        raise InputError(f"--key {options.key}: unknown (known: {', '.join(known)})")
    chosen: BaseModel
    if options.of == "data":
        chosen = config.data[options.key]
    else:
        recipe = resolve_recipe(config, options.key)
        chosen = {"training": recipe.training, "testing": recipe.testing, "recipe": recipe.config}[options.of]
    print(json.dumps(chosen.model_dump(mode="json"), ensure_ascii=False))  # noqa: T201


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


def write_schema(options: Namespace) -> None:
    """Write the JSON schema."""
    write_text(options.output, schema_text())


def schema_text() -> str:
    """Return the JSON schema of the configuration."""
    schema = Config.model_json_schema()
    schema["title"] = "onkocode configuration"
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
