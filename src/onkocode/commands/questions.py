"""Verbs of the stage questions."""

from argparse import Namespace

from onkocode.commands.common import validated
from onkocode.config.schema import Data
from onkocode.questions.build import build_questions as build
from onkocode.questions.build import build_text_questions as build_on_texts
from onkocode.questions.formulations import formulations_hash
from onkocode.records.files import close_to_others
from onkocode.records.provenance import Provenance
from onkocode.records.schemas import read_table, write_table


def build_questions(options: Namespace) -> None:
    """Build the questions of a data key."""
    settings = validated(Data, options.settings)
    inputs = {name: getattr(options, name) for name in ("alphaid", "icdo3", "ops", "icd10gm")}
    record = Provenance("build-questions", settings.model_dump(), inputs, settings.seed)
    entries = {name: read_table(inputs[name], "entries") for name in ("alphaid", "icdo3", "ops")}
    built = build(**entries, icd10gm=read_table(options.icd10gm, "codes"), options=settings)
    record.add(**built.facts)
    record.beside(options.output)
    write_table(built.questions, "questions", options.output)


def build_text_questions(options: Namespace) -> None:
    """Build the questions on a test set."""
    close_to_others(options.output)
    record = Provenance("build-text-questions", {"formulations": options.formulations}, {"texts": options.texts})
    questions = build_on_texts(read_table(options.texts, "entries"), options.formulations)
    record.add(questions=questions.height, formulations_sha256=formulations_hash(options.formulations))
    record.beside(options.output)
    write_table(questions, "questions", options.output)
