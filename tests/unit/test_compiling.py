import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch

from onkocode.models.compiling import compiling_later


def test_functions_are_compiled_once_when_they_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, dict[str, Any]]] = []

    def compiler(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        given.append((function.__name__, options))
        return lambda *arguments, **named: -function(*arguments, **named)

    def plain(value: int) -> int:
        return value

    def summed(value: int, more: int = 0) -> int:
        return value + more

    monkeypatch.setattr(torch, "compile", compiler)
    with compiling_later():
        handed_over, decorated = torch.compile(plain), torch.compile(dynamic=False)(summed)
    assert given == []
    assert [handed_over(1), handed_over(2)] == [-1, -2]
    assert decorated(1, more=2) == -3
    assert given == [("plain", {}), ("summed", {"dynamic": False})]
    assert decorated.__name__ == "summed"


def test_the_compiler_is_put_back_after_an_import_that_fails() -> None:
    before = torch.compile
    with pytest.raises(ImportError), compiling_later():
        importlib.import_module("not_there")
    assert torch.compile is before
