"""Seconds and memory of the dry run of a large study: many models, many epochs.

    python benchmarks/scale.py [--models 100] [--epochs 10] [--profile FILE]

Writes the configuration of a study into a temporary folder: the recipes of the paper's eight models over and over under
keys of their own, with stand-ins for the catalogue files, and the other coders once. Then `snakemake -n` builds the
graph of all jobs there. Prints jobs, seconds, seconds of CPU time (what they are on a machine that does nothing else),
and the largest resident set. With --profile, cProfile writes to the file.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
CATALOGUES = ("alphaid-2024", "icd10gm-2024", "icdo3-2019", "ops-2024")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=100, help="language models")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--profile", type=Path, help="file for what cProfile finds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "large.yaml"
        config.write_text(yaml.safe_dump(configuration(Path(folder), options.models, options.epochs)), encoding="utf-8")
        began = time.monotonic()
        output = dry_run(Path(folder), config, options.profile)
        seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, memory = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6
    (total,) = [line.split()[1] for line in output.splitlines() if line.startswith("total ")][:1]
    jobs = f"{options.models} models, {options.epochs} epochs: {int(total):,} jobs"
    print(f"{jobs}, {seconds:.1f} s ({cpu:.1f} s of CPU time), {memory:,.0f} MB")


def configuration(folder: Path, models: int, epochs: int) -> dict[str, object]:
    """Return what is merged over config/config.yaml."""
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    language = [key for key in study["models"] if study["recipes"][key].get("kind", "llm") == "llm"]
    recipes = {}
    for number in range(models):
        key = language[number % len(language)]
        recipe = study["recipes"][key]
        training = recipe.get("training", {}) | {"epochs": epochs}
        recipes[f"{key}-{number}"] = recipe | {"label": f"{recipe['label']}, {number}", "training": training}
    files = {}
    for catalogue in CATALOGUES:
        files[catalogue] = str(folder / f"{catalogue}.txt")
        (folder / f"{catalogue}.txt").touch()
    others = [key for key in study["models"] if key not in language]
    primary = {"model": next(iter(recipes))}
    return {
        "models": [*recipes, *others],
        "recipes": recipes,
        "catalogues": {"files": files},
        "evaluation": {"primary": primary},
    }


def dry_run(folder: Path, config: Path, profile: Path | None) -> str:
    """Return what the dry run prints."""
    how = ["-m", "cProfile", "-o", str(profile.absolute()), "-m", "snakemake"] if profile else ["-m", "snakemake"]
    command = [sys.executable, *how, "-n", "-s", str(ROOT / "Snakefile"), "--directory", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--configfile", str(config)], env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    if done.returncode:
        raise SystemExit(done.stdout[-3000:])
    return done.stdout


if __name__ == "__main__":
    main()
