"""Reading and checking configuration files: every mistake at once, each with file, line and key."""

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, Tag, ValidationError

from onkocode.config.checks import KeyPath, cross_check
from onkocode.config.coders import KINDS
from onkocode.config.schema import Config
from onkocode.records.errors import InputError


def load_config(merged: Mapping[str, Any], files: Sequence[Path] = ()) -> Config:
    """Check a merged configuration and return it typed.

    Args:
        merged: what Snakemake hands over after merging all config files and `--config` values.
        files: the files that were merged, to name file and line in messages.

    Raises:
        InputError: with all problems, one a line.
    """
    lines = {path: _Lines(path) for path in files}
    problems = [problem for found in lines.values() for problem in found.duplicates]
    # Through JSON, because Snakemake hands over its own mapping types.
    plain = json.loads(json.dumps(merged, default=str))
    config, mistakes = _validate(plain)
    problems += [_say(path, message, lines) for path, message in mistakes]
    if config is None:  # what can be mended is left out, to name the mistakes between the keys as well
        config, _ = _validate(_without(plain, [path for path, _ in mistakes]))
    said = {path for path, _ in mistakes}  # what was left out is missed by the checks that follow
    found = [problem for problem in (cross_check(config) if config else ()) if problem[0] not in said]
    problems += [_say(path, message, lines) for path, message in found]
    if problems or config is None:
        raise InputError("the configuration has mistakes:\n" + "\n".join(f"  {line}" for line in problems))
    return config


def load_config_files(files: Sequence[Path]) -> Config:
    """Read configuration files as Snakemake does (later files are merged over earlier ones) and check the result."""
    return load_config(merge_files(files), files)


def merge_files(files: Sequence[Path]) -> dict[str, Any]:
    """Return the mapping that Snakemake makes of configuration files, unchecked."""
    merged: dict[str, Any] = {}
    for path in files:
        merge(merged, read_yaml(path))
    return merged


def merge(base: dict[str, Any], other: Mapping[str, Any]) -> None:
    """Merge mappings key by key, in place; every other value, lists included, is replaced."""
    for key, value in other.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = json.loads(json.dumps(value, default=str)) if isinstance(value, Mapping) else value


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; raises InputError with file and line."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such configuration file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid YAML in UTF-8: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: must hold a mapping of keys")
    return value


def _validate(plain: Any) -> tuple[Config | None, list[tuple[KeyPath, str]]]:
    try:
        return Config.model_validate(plain), []
    except ValidationError as error:
        found = [(_key_path(_location(problem), plain), _message(problem)) for problem in error.errors()]
        return None, list(dict.fromkeys(found))


def _without(plain: Any, paths: Sequence[KeyPath]) -> Any:
    """Return a copy without the values at these paths; a path that is not there is passed over."""
    copy = json.loads(json.dumps(plain))
    # In reverse, so that the indexes of a list stay right.
    for path in sorted(set(paths), key=lambda path: [str(part).zfill(9) for part in path], reverse=True):
        value = copy
        for part in path[:-1]:
            inside = isinstance(value, dict) and part in value
            value = value[part] if inside or (isinstance(value, list) and isinstance(part, int)) else None
        if path and isinstance(value, dict):
            value.pop(path[-1], None)
        elif path and isinstance(value, list) and isinstance(path[-1], int):
            del value[path[-1]]
    return copy


def _message(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "extra_forbidden":
        return _unknown_key(str(problem["loc"][-1]), problem["loc"][:-1])
    if problem["type"] == "kind":
        return _unknown_kind(problem["input"]["kind"])
    if problem["type"] == "missing":
        return "required key is missing"
    if problem["type"] == "model_type":
        return "must be a mapping of keys"
    if problem["type"] in ("union_tag_not_found", "union_tag_invalid"):
        return (
            f"must hold exactly one of {'hub and path' if problem['loc'][-1] == 'adapter' else 'hub, path and built'}"
        )
    given = problem.get("input")
    if problem["type"] == "string_type" and isinstance(given, int | float):
        return f"must be text: put it in quotes, '{given}'"
    shown = f" (is {given!r})" if isinstance(given, str | int | float | bool) else ""
    return str(problem["msg"]).removeprefix("Value error, ") + shown


def _unknown_key(key: str, location: Sequence[str | int]) -> str:
    sections = _sections_at(location)
    close = difflib.get_close_matches(key, [name for section in sections for name in section.model_fields], n=1)
    if close:
        return f"unknown key; did you mean {close[0]!r}?"
    others = [kind for kind, section in KINDS.items() if key in section.model_fields and section not in sections]
    if others and set(sections) <= set(KINDS.values()):
        return f"means nothing to this kind of coder, only to {', '.join(others)}; remove it, or set another kind"
    return "unknown key; remove it"


def _unknown_kind(given: object) -> str:
    close = difflib.get_close_matches(str(given), KINDS, n=1)
    return f"must be one of {', '.join(KINDS)} (is {given!r})" + (f"; did you mean {close[0]!r}?" if close else "")


def _sections_at(location: Sequence[str | int]) -> list[type[BaseModel]]:
    """Return the sections at pydantic's location, which names mapping keys, list indexes and alternatives of unions."""
    found: list[tuple[str | None, Any]] = [(None, Config)]
    for part in location:
        chosen: list[tuple[str | None, Any]] = [(None, annotation) for tag, annotation in found if tag == part]
        found = chosen or [inner for _, annotation in found for inner in _alternatives(_inside(annotation, part))]
    return [annotation for _, annotation in found if _is_section(annotation)]


def _inside(annotation: Any, part: str | int) -> Any:
    """Return the type of a section's field, or of the values of a mapping or list."""
    if _is_section(annotation):
        field = annotation.model_fields.get(part)
        return field and field.annotation
    return get_args(annotation)[-1] if get_origin(annotation) in (dict, list) else None


def _alternatives(annotation: Any, tag: str | None = None) -> list[tuple[str | None, Any]]:
    """Return the alternatives of a union, each with its tag if it has one; or the type alone."""
    if get_origin(annotation) is Annotated:
        tags = [item.tag for item in annotation.__metadata__ if isinstance(item, Tag)]
        return _alternatives(annotation.__origin__, tags[0] if tags else tag)
    if get_origin(annotation) in (Union, UnionType):
        return [inner for alternative in get_args(annotation) for inner in _alternatives(alternative)]
    return [(tag, annotation)]


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _location(problem: Mapping[str, Any]) -> tuple[str | int, ...]:
    """Return where a mistake is: without the alternative of a recipe, and an unknown kind at its key."""
    alternatives = {section.__name__ for section in KINDS.values()}
    location = tuple(part for part in problem["loc"] if part not in alternatives)
    return (*location, "kind") if problem["type"] == "kind" else location


def _key_path(location: Sequence[str | int], merged: Any) -> KeyPath:
    """Return the part of pydantic's location that exists in the file: it also names the alternatives of a union."""
    path: list[str | int] = []
    value = merged
    for index, part in enumerate(location):
        last = index == len(location) - 1
        scalar = isinstance(value, Mapping) and part in value and not isinstance(value[part], Mapping | list)
        if scalar and any(later in value for later in location[index + 1 :]):
            continue  # the alternative of `base`, which is named like its key
        if isinstance(value, Mapping) and (part in value or last):
            path.append(part)
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            path.append(part)
            value = value[part]
    return tuple(path)


def _say(path: KeyPath, message: str, files: Mapping[Path, "_Lines"]) -> str:
    key = ".".join(str(part) for part in path) or "(top level)"
    for length in range(len(path), min(len(path), 2) - 1, -1):
        for name, lines in reversed(list(files.items())):  # the last file wins a merge, so the value is its
            if length and path[:length] in lines.number:
                return f"{name}:{lines.number[path[:length]]}: {key}: {message}"
    where = " + ".join(str(name) for name in files)
    return f"{where}: {key}: {message}" if where else f"{key}: {message}"


class _Lines:
    """Line numbers of all keys of a YAML file, and the keys that stand twice (YAML itself keeps the last, silently)."""

    def __init__(self, path: Path) -> None:
        self.number: dict[KeyPath, int] = {}
        self.duplicates: list[str] = []
        self._path = path
        try:
            node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(f"{path}: cannot be read as YAML: {error}") from None
        if node is not None:
            self._walk(node, ())

    def _walk(self, node: yaml.Node, path: KeyPath) -> None:
        if isinstance(node, yaml.MappingNode):
            for key_node, value in node.value:
                key = (*path, key_node.value)
                line = key_node.start_mark.line + 1
                if key in self.number:
                    self.duplicates.append(
                        f"{self._path}:{line}: {'.'.join(map(str, key))}: stands twice (first in line "
                        f"{self.number[key]}); rename or remove one"
                    )
                    continue  # its own keys would all stand twice as well
                self.number[key] = line
                self._walk(value, key)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self.number[(*path, index)] = value.start_mark.line + 1
                self._walk(value, (*path, index))
