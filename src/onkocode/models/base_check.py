"""What is checked of a base before anything is spent on it: files, tokenizer, chat template. No weights are loaded."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from onkocode.models.architectures import MODEL_TYPES, architecture_from
from onkocode.models.locate import weight_shapes
from onkocode.models.model_files import Shapes, read_object
from onkocode.models.prompts import prompt_format
from onkocode.models.tokenizing import check_tokenizer_files, load_tokenizer, stop_ids
from onkocode.records.errors import InputError, first_of

CONFIG, GENERATION = "config.json", "generation_config.json"
EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embed_in.weight")
# A template that writes the token without asking whether there is one.
WRITES_BOS = re.compile(r"\{\{-?\s*bos_token\s*(?:-?\}\}|[+~])")


def check_base(path: Path) -> None:
    """Check a model directory: seconds for any model, since of the weights only the headers are read.

    Raises:
        InputError: with every finding; each names file, cause and what to do.
    """
    if not path.is_dir():
        raise InputError(f"{path}: no model directory; see the recipe's base")
    # A finding may have others in its wake, so each round begins only after the one before found nothing.
    _raise_all(path, *_file_checks(path), lambda: check_tokenizer_files(path))
    shapes, config = weight_shapes(path), check_config(path)
    _raise_all(path, lambda: _check_shapes(path, shapes, config))
    tokenizer, rows = load_tokenizer(path), _rows(shapes, config)
    _raise_all(
        path,
        lambda: _check_vocabulary(path, tokenizer, rows),
        lambda: _check_begin(path, tokenizer),
        lambda: _check_end(path, tokenizer, rows),
    )


def check_files(path: Path) -> None:
    """Check the files from which a model is loaded, without its tokenizer.

    Raises:
        InputError: with every finding.
    """
    if not path.is_dir():
        raise InputError(f"{path}: no model directory; run prepare-model again")
    _raise_all(path, *_file_checks(path))


def _file_checks(path: Path) -> tuple[Callable[[], object], ...]:
    return lambda: check_config(path), lambda: own_stops(path), lambda: weight_shapes(path)


def _raise_all(path: Path, *checks: Callable[[], object]) -> None:
    found = []
    for check in checks:
        try:
            check()
        except InputError as error:
            found.append(str(error))
    if len(found) == 1:
        raise InputError(found[0])
    if found:
        raise InputError(f"{path}: {len(found)} faults in this model:\n{first_of(found)}")


def check_config(path: Path) -> Any:
    """Return the configuration of a model directory as transformers reads it.

    Raises:
        InputError: no such file, a broken one, or a kind of model that cannot be loaded.
    """
    from transformers import CONFIG_MAPPING, AutoConfig, __version__
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    file = path / CONFIG
    read = read_object(file)
    kind = read.get("model_type")
    if not isinstance(kind, str):
        raise InputError(f"{file}: names no model_type; fetch it again")
    if kind not in CONFIG_MAPPING:
        why = f"transformers {__version__} does not know it; a newer one may"
        if "auto_map" in read:
            why = "it comes with code of its own, which is never run"
        raise InputError(f"{file}: the model type {kind!r} cannot be loaded: {why}")
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise InputError(f"{file}: the model type {kind!r} is none that answers in text; use a causal language model")
    try:
        return AutoConfig.from_pretrained(path, trust_remote_code=False)
    except Exception as error:  # values are checked by many hands
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{file}: cannot be used ({type(error).__name__}: {said}); fetch it again") from None


def own_stops(path: Path) -> list[int]:
    """Return the tokens at which a model's own configuration ends an answer.

    Raises:
        InputError: a broken file, or something else than ids.
    """
    file = path / GENERATION if (path / GENERATION).is_file() else path / CONFIG
    ids = read_object(file).get("eos_token_id")
    found = ids if isinstance(ids, list) else [] if ids is None else [ids]
    if not all(isinstance(one, int) for one in found):
        raise InputError(f"{file}: eos_token_id holds something else than ids of tokens; fetch it again")
    return found


def _check_shapes(path: Path, shapes: Shapes, config: Any) -> None:
    """Refuse weights that lack a matrix of a known architecture: transformers would fill it with random values."""
    if config.model_type not in MODEL_TYPES or getattr(config, "quantization_config", None):
        return
    architecture = architecture_from(config.to_dict(), str(path / CONFIG))
    wrong = []
    for name, matrix in architecture.matrices().items():
        if (name == "lm_head" and architecture.tied) or (architecture.experts and ".mlp." in name):
            continue  # experts have other names on disk
        expected = (matrix.outputs, matrix.inputs)
        if name.endswith("embed_tokens"):
            expected = (matrix.inputs, matrix.outputs)
        key = f"{name}.weight"
        shape = shapes.get(key) or shapes.get(key.removeprefix("model."))
        if shape != expected:
            wrong.append(f"{key} {'is missing' if shape is None else f'has the shape {shape}, not {expected}'}")
    if wrong:
        raise InputError(
            f"{path}: the weights are not those that {CONFIG} describes: {wrong[0]} ({len(wrong)} such tensors); fetch "
            "the whole model again"
        )


def _rows(shapes: Shapes, config: Any) -> int:
    found = next((shape[0] for name, shape in shapes.items() if name.endswith(EMBEDDINGS) and shape), None)
    return int(config.get_text_config().vocab_size if found is None else found)


def _check_vocabulary(path: Path, tokenizer: Any, rows: int) -> None:
    """Refuse tokens without a row of the embeddings; rows without a token are usual."""
    beyond = sorted(token for token, number in tokenizer.get_vocab().items() if number >= rows)
    if beyond:
        raise InputError(
            f"{path}: {len(beyond)} tokens of the tokenizer, e.g. {beyond[0]!r}, have no row in the embeddings, which "
            f"have {rows:,}; tokenizer and weights are not of the same model"
        )


def _check_begin(path: Path, tokenizer: Any) -> None:
    if tokenizer.bos_token is None and WRITES_BOS.search(tokenizer.chat_template or ""):
        raise InputError(
            f"{path}: the chat template begins with bos_token, but the tokenizer has none; fetch tokenizer_config.json "
            "of the model"
        )


def _check_end(path: Path, tokenizer: Any, rows: int) -> None:
    """Refuse a chat template that cannot be rendered, or ends an answer where generation would go on."""
    form = prompt_format(tokenizer)
    stops = stop_ids(tokenizer, own_stops(path))
    if not all(0 <= stop < rows for stop in stops):
        raise InputError(
            f"{path}: a stop token ({', '.join(map(str, stops))}) has no row in the embeddings, which have {rows:,}; "
            f"fetch {GENERATION} and tokenizer_config.json of the model"
        )
    ids = tokenizer(form.answer_after, add_special_tokens=False)["input_ids"]
    if not ids or ids[-1] != tokenizer.eos_token_id:
        raise InputError(
            f"{path}: the end-of-turn token {tokenizer.eos_token!r} is no token of the tokenizer; fetch tokenizer.json "
            "and tokenizer_config.json of the model"
        )
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    turn = next(token for token in ids if token in special or token == tokenizer.eos_token_id)
    if turn not in stops:
        raise InputError(
            f"{path}: the chat template ends an answer with {tokenizer.convert_ids_to_tokens(turn)!r}, at which "
            f"generation would not stop; fetch tokenizer_config.json and {GENERATION} of the model, one of which names "
            "it as eos_token"
        )
