"""The kinds of coders: what a recipe of each kind may say.

A kind that one job fits is a class derived directly from `FitSettings`, whose field `kind` names it, and has its code
in the module of `onkocode.coders` that is named like it. What is said of kinds elsewhere follows from these classes.
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast, get_args

from pydantic import AfterValidator, BaseModel, Discriminator, Field, Tag, ValidationInfo, create_model

from onkocode.config.base import Mark, PositiveInt, Section, validated
from onkocode.config.recipes import LanguageModelConfig, RecipeConfig
from onkocode.records.errors import InputError


def _kinds(section: type[BaseModel]) -> tuple[str, ...]:
    return get_args(section.model_fields["kind"].annotation)


class FitSettings(Section):
    """What the fit of a coder depends on, and nothing else: its kind and the keys of its own."""

    kind: str = Field(description="Kind of coder.")
    candidates: PositiveInt = Field(5, description="Ranked answers to each question, where there are as many.")


class MajorityCode(FitSettings):
    """The most frequent answers of the training entries, whatever the text: what any other coder must surpass."""

    kind: Literal["majority-code"] = Field(description="Kind of coder: the most frequent codes.")


def _rising(value: list[int]) -> list[int]:
    if value[0] > value[1]:
        raise ValueError("the shortest must not be longer than the longest")
    return value


NGrams = Annotated[
    list[PositiveInt],
    Field(
        min_length=2,
        max_length=2,
        description="Shortest and longest character n-grams; they end at the edges of words.",
    ),
    AfterValidator(_rising),
]
Normalise = Annotated[
    bool,
    Field(
        description="Compare the normal forms of texts: abbreviations in full, compounds apart, spellings made one, "
        "without stages and sizes."
    ),
]
Tables = Annotated[
    Path | None,
    Field(
        description="Folder with tables of clinical language (TSV files, named as those of the program), whose rows "
        "come before those of the program; null = none."
    ),
]


def _read_with(tables: Path | None, info: ValidationInfo) -> Path | None:
    if tables is not None and not (info.data.get("normalise") or info.data.get("findings")):
        raise ValueError("means nothing to a coder that compares texts as they are written; remove it")
    return tables


WhereRead = Annotated[Tables, AfterValidator(_read_with)]


class NearestLabel(FitSettings):
    """The answers of the training labels that are most alike in their character n-grams."""

    kind: Literal["nearest-label"] = Field(description="Kind of coder: the codes of the most similar labels.")
    ngrams: NGrams = Field([2, 5])
    normalise: Annotated[Normalise, Mark.ADDED] = False
    tables: Annotated[WhereRead, Mark.ADDED] = None


class Lexicon(FitSettings):
    """The codes that a text says by the tables of clinical language, and then those of the most similar labels."""

    kind: Literal["lexicon"] = Field(description="Kind of coder: what the words of a text say.")
    tables: Tables = None


class Classifier(FitSettings):
    """The answers of a linear classifier (support vector machine) on character n-grams."""

    kind: Literal["classifier"] = Field(description="Kind of coder: a linear classifier on character n-grams.")
    ngrams: NGrams = Field([2, 5])
    normalise: Normalise = False
    findings: bool = Field(
        False, description="What the tables of clinical language find in a text counts as well: site, kind and codes."
    )
    tables: WhereRead = None


def _kind_of(value: Any) -> str | None:
    """Return the kind of a member; None when there is no such kind."""
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) and kind in _MEMBERS else None


_MEMBERS = {kind: section for section in FitSettings.__subclasses__() for kind in _kinds(section)}
if TYPE_CHECKING:
    Member = FitSettings
else:
    Member = Annotated[
        reduce(or_, (Annotated[section, Tag(kind)] for kind, section in _MEMBERS.items())),
        Discriminator(
            _kind_of, custom_error_type="member", custom_error_message=f"kind must be one of {', '.join(_MEMBERS)}"
        ),
    ]


MEMBERS_ANSWERS = 10  # of which the fusion chooses


def _usual_members() -> list[Member]:
    return [
        Lexicon(kind="lexicon", candidates=MEMBERS_ANSWERS),
        NearestLabel(kind="nearest-label", candidates=MEMBERS_ANSWERS, normalise=True),
        Classifier(kind="classifier", candidates=MEMBERS_ANSWERS, normalise=True, findings=True),
    ]


class Fusion(FitSettings):
    """The answers of several coders, weighed by how often each was right on training labels that it had not seen."""

    kind: Literal["fusion"] = Field(description="Kind of coder: what several others answer, combined.")
    members: list[Member] = Field(
        default_factory=_usual_members,
        min_length=2,
        description="The coders, each with its kind and the keys of its own; each is fitted in the same job.",
    )
    heldout: float = Field(
        0.15, gt=0, lt=1, description="Share of the training labels on which the weights of the members are learned."
    )
    seed: int = Field(0, description="Seed of the choice of these labels.")


def members_of(settings: FitSettings) -> list[FitSettings]:
    """Return the coders that a coder consists of: its members, or itself."""
    return list(settings.members) if isinstance(settings, Fusion) else [settings]


def table_folders(settings: FitSettings) -> list[Path]:
    """Return the folders of a user's tables that a fit reads."""
    named = [getattr(member, "tables", None) for member in members_of(settings)]
    return list(dict.fromkeys(folder for folder in named if folder is not None))


def takes_codes(settings: FitSettings) -> bool:
    """Tell whether a coder may answer codes that no training label has, and so must know which ones exist."""
    return any(isinstance(member, Lexicon) for member in members_of(settings))


def _class_of(value: Any) -> str | None:
    """Return the name of the class that a recipe is read with; None when there is no such kind."""
    kind = value.get("kind", "llm") if isinstance(value, Mapping) else getattr(value, "kind", "llm")
    return KINDS[kind].__name__ if isinstance(kind, str) and kind in KINDS else None


def _recipes_of(section: type[FitSettings]) -> type[RecipeConfig]:
    """Return the class of the recipes of a kind that one job fits: what each recipe says, and the keys of the kind."""
    name, bases = f"{section.__name__}Config", (RecipeConfig, section)
    made = create_model(
        name, __base__=bases, __doc__=f"A recipe of the kind {_kinds(section)[0]}.", __module__=__name__
    )
    return cast(type[RecipeConfig], made)


FITTED = {kind: section for section in FitSettings.__subclasses__() for kind in _kinds(section)}
_CLASSES: tuple[type[RecipeConfig], ...] = (LanguageModelConfig, *map(_recipes_of, FITTED.values()))
KINDS: dict[str, type[RecipeConfig]] = {kind: section for section in _CLASSES for kind in _kinds(section)}
if TYPE_CHECKING:
    AnyRecipe = RecipeConfig
else:
    AnyRecipe = Annotated[
        reduce(or_, (Annotated[section, Tag(section.__name__)] for section in _CLASSES)),
        Discriminator(_class_of, custom_error_type="kind", custom_error_message="is no kind of coder"),
    ]


def read_recipe(settings: Any) -> RecipeConfig:
    """Return what describe-model is told of a recipe; raises InputError with every mistake."""
    kind = settings.get("kind", "llm") if isinstance(settings, Mapping) else None
    if kind not in KINDS:
        raise InputError(f"--settings: kind must be one of {', '.join(KINDS)}")
    return validated(KINDS[kind], settings)


def read_fit_settings(settings: Any) -> FitSettings:
    """Return the settings of fit-coder; raises InputError with every mistake."""
    section = fit_settings(settings.get("kind")) if isinstance(settings, Mapping) else None
    if section is None:
        raise InputError(f"--settings: kind must be one of {', '.join(FITTED)}")
    return validated(section, settings)


def fit_settings(kind: object) -> type[FitSettings] | None:
    """Return the settings of fit-coder for a kind; None where no such job fits it."""
    return FITTED.get(kind) if isinstance(kind, str) else None
