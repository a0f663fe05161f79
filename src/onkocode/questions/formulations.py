"""Question templates: versioned YAML files, checked on loading."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import yaml

from onkocode.records.errors import InputError
from onkocode.records.ids import canonical_json, digest

# Number of formulations per block (paper, Table 1). Blocks that go beyond it come after these.
COUNTS = {"icd10": 12, "tumour": 6, "tumour-icd10": 4, "ops": 10, "ops-tumour": 4, "morphology": 10, "topography": 10}
SAME_FORMULATIONS = {"topography-alphaid": "topography"}  # the same questions on other labels
# Composed texts are asked about in the same words; they are no part of `load_formulations`, so that its hash stays.
COMPOSED = {f"clinical-{task}": task for task in ("icd10", "topography", "morphology")}
PLACE = "{text}"


@dataclass(frozen=True)
class Block:
    """The formulations of one block: its task, the sentence asking for a short answer, templates by id."""

    name: str
    task: str
    short: str
    templates: Mapping[str, str]


@cache
def load_formulations(version: str) -> dict[str, Block]:
    """Return the blocks of a version: the seven of the paper, then the further ones.

    Raises:
        InputError: unknown version, or a file whose counts, ids or placeholders are off.
    """
    folder = resources.files("onkocode.questions").joinpath("formulations")
    file = folder.joinpath(f"{version}.yaml")
    if not file.is_file():
        known = ", ".join(sorted(item.name.removesuffix(".yaml") for item in folder.iterdir()))
        raise InputError(f"formulations {version!r} do not exist (known: {known})")
    return parse_formulations(file.read_text(encoding="utf-8"), f"{version}.yaml")


def parse_formulations(text: str, name: str) -> dict[str, Block]:
    """Check and return formulations; ``name`` is the file's name for messages."""
    raw = yaml.safe_load(text)
    if list(raw)[: len(COUNTS)] != list(COUNTS):
        raise InputError(f"{name}: the first blocks must be {', '.join(COUNTS)}, in this order")
    blocks = {}
    seen: dict[str, str] = {}
    for block, values in raw.items():
        templates = values["formulations"]
        count = COUNTS.get(block, values["count"])
        if not len(templates) == values["count"] == count:
            raise InputError(f"{name}: {block}: {len(templates)} formulations, {count} expected")
        for key, template in templates.items():
            if template.count(PLACE) != 1:
                raise InputError(f"{name}: {key}: must hold {PLACE} exactly once")
            if template in seen:
                raise InputError(f"{name}: {key}: same words as {seen[template]}")
            seen[template] = key
        blocks[block] = Block(block, values["task"], values["short"], templates)
    for block, other in SAME_FORMULATIONS.items():
        blocks[block] = replace(blocks[other], name=block)
    return blocks


def all_blocks(version: str) -> dict[str, Block]:
    """Return the blocks of a version, and those on composed texts."""
    blocks = load_formulations(version)
    return blocks | {name: replace(blocks[other], name=name) for name, other in COMPOSED.items()}


def formulations_hash(version: str) -> str:
    """Return the SHA-256 over all templates of a version."""
    blocks = load_formulations(version)
    return digest(
        canonical_json({name: [block.task, block.short, dict(block.templates)] for name, block in blocks.items()})
    )
