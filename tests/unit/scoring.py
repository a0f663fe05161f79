"""The verb score-answers on tables in a folder, as the workflow calls it."""

from collections.abc import Mapping
from pathlib import Path

from onkocode.catalogues.formats.parse import parse_catalogue
from onkocode.cli import main
from onkocode.records.schemas import write_table

from .conftest import CATALOGUES, ROOT


def score(
    folder: Path, predictions: Mapping[str, Path], questions: Mapping[str, Path], *more: str
) -> tuple[list[Path], Path]:
    """Judge by the example's label spaces and measure; returns the judged tables and the metrics in folder/results."""
    judged = {name: folder / "results" / f"{name}.parquet" for name in predictions}
    output = folder / "results" / "metrics.parquet"
    assert main([*score_command(folder, predictions, questions, judged, output), *more]) == 0
    return list(judged.values()), output


def score_command(
    folder: Path,
    predictions: Mapping[str, Path],
    questions: Mapping[str, Path],
    judged: Mapping[str, Path],
    output: Path,
) -> list[str]:
    """Return the command line, with few resamples; the example's label spaces are written into the folder."""
    spaces = {name: folder / f"{name}-codes.parquet" for name in ("icd10gm", "icdo3")}
    for name, path in spaces.items():
        _, codes = parse_catalogue(name, "example", ROOT / "example" / "catalogues" / CATALOGUES[name])
        write_table(codes, "codes", path)
    command = ["score-answers", "--bootstrap", "20", "--output", str(output)]
    for option, files in (("predictions", predictions), ("questions", questions), ("judged", judged)):
        command += [f"--{option}", *(f"{name}={file}" for name, file in files.items())]
    for option, path in spaces.items():
        command += [f"--{option}", *(f"{name}={path}" for name in predictions)]
    return command
