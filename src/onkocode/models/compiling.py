"""Importing libraries without torch's compiler, which takes one to two seconds of a job's start."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial, wraps
from typing import Any

import torch


@contextmanager
def compiling_later() -> Iterator[None]:
    """Let libraries that are imported meanwhile compile their functions when these are called first.

    bitsandbytes, which peft and trl import, has functions compiled that are hardly ever called.
    """
    compiler: Callable[..., Any] = torch.compile
    setattr(torch, "compile", partial(_when_called, compiler))  # noqa: B010
    try:
        yield
    finally:
        setattr(torch, "compile", compiler)  # noqa: B010


def _when_called(
    compiler: Callable[..., Any], function: Callable[..., Any] | None = None, **options: Any
) -> Callable[..., Any]:
    """Stand in for a compiler that is called with a function, or with options alone as a decorator."""
    if function is None:
        return partial(_when_called, compiler, **options)
    compiled = cache(partial(compiler, function, **options))

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        return compiled()(*arguments, **named)

    return called
