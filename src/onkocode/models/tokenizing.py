"""Loading tokenizers, and whether texts survive them."""

import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

from onkocode.models.locate import TOKENIZER_FILES
from onkocode.models.model_files import read_object, refuse_pointer
from onkocode.records.errors import InputError

# In words of the project's own: umlauts, ß, all digits, codes, and the quotation marks and dashes of German texts.
SENTENCES = (
    "Bösartige Neubildung der Brustdrüse, äußerer oberer Quadrant: C50.4",
    "Übergangsepithelkarzinom (G2) der Harnblase – „papillär“, 8130/3",
    "Großzelliges B-Zell-Lymphom; Ösophagus frei, Ki-67 > 90 %",
    "Verdacht auf Ästhesioneuroblastom: Welcher Code gehört dazu? 9522/3 & C30.0",
)


def load_tokenizer(path: Path) -> Any:
    """Load a tokenizer that pads on the left, as batched generation needs it; a missing pad token becomes EOS.

    Raises:
        InputError: no directory, no tokenizer in it, broken files, or a tokenizer that loses letters.
    """
    from transformers import AutoTokenizer

    if not path.is_dir():
        raise InputError(f"{path}: no model directory; run prepare-model again")
    check_tokenizer_files(path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            path,
            padding_side="left",
            trust_remote_code=False,
            mistral_format=False,  # with mistral-common installed it would be taken without its chat template
        )
    except Exception as error:  # broken files lead to many kinds, the parser's own among them
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: no tokenizer can be loaded from there ({type(error).__name__}: {said}); fetch tokenizer.json and "
            "tokenizer_config.json of the model again"
        ) from error
    check_texts(tokenizer, path)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def check_tokenizer_files(path: Path) -> None:
    """Raise InputError where a file of a tokenizer is a Git LFS pointer, or no whole JSON object where it should be."""
    for file in sorted({file for pattern in TOKENIZER_FILES for file in path.glob(pattern) if file.is_file()}):
        if file.suffix == ".json":
            read_object(file)
        else:
            refuse_pointer(file)


def check_texts(tokenizer: Any, path: Path) -> None:
    """Refuse a tokenizer that does not give German texts back, decoded as answers are.

    Spaces may be put together, taken off the ends, and letters composed with their accents (NFC).

    Args:
        tokenizer: a transformers tokenizer.
        path: its directory, for messages.

    Raises:
        InputError: an empty tokenizer, or one that loses or changes letters.
    """
    encoded: list[list[int]] = tokenizer(list(SENTENCES), add_special_tokens=False)["input_ids"]
    unknown = tokenizer.unk_token_id
    if not any(token != unknown for ids in encoded for token in ids):
        missing = "; tokenizer.json is missing" if not (path / "tokenizer.json").is_file() else ""
        raise InputError(
            f"{path}: the tokenizer is empty, texts become no tokens{missing}; fetch the tokenizer's files of the model"
        )
    for sentence, ids in zip(SENTENCES, encoded, strict=True):
        decoded = tokenizer.decode(ids, skip_special_tokens=True)
        if _comparable(decoded) != _comparable(sentence):
            lost = "".join(sorted((Counter(_comparable(sentence)) - Counter(_comparable(decoded))).keys()))
            raise InputError(
                f"{path}: the tokenizer does not give texts back: „{sentence}“ becomes „{decoded}“"
                f"{f' (lost: {lost})' if lost else ''}; take the tokenizer's files of the model itself, or another one"
            )


def _comparable(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def stop_ids(tokenizer: Any, own: int | list[int] | None) -> list[int]:
    """Return the tokens that end an answer.

    Args:
        tokenizer: its end-of-turn token is one of them.
        own: what the model's own generation configuration says.
    """
    return sorted({tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None})
