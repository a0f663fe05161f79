"""ClaML files for tests, written by hand and in own words, as no official one may stand here."""

from collections.abc import Mapping, Sequence
from pathlib import Path


def rubric(kind: str, text: str) -> str:
    return f'<Rubric kind="{kind}"><Label xml:lang="de" xml:space="default">{text}</Label></Rubric>'


def cls(code: str, above: str = "", label: str = "x", inside: str = "", kind: str = "category") -> str:
    superclass = f'<SuperClass code="{above}"/>' if above else ""
    labels = label if label.startswith("<") else rubric("preferred", label)
    return f'<Class code="{code}" kind="{kind}">{superclass}{inside}{labels}</Class>\n'


def used(modifier: str, *valid: str, every: str = "") -> str:
    classes = "".join(f'<ValidModifierClass code="{code}"/>' for code in valid)
    return f'<ModifiedBy code="{modifier}"{f" all={every!r}" if every else ""}>{classes}</ModifiedBy>'


def modifier(name: str, classes: Mapping[str, str], excluded: Mapping[str, Sequence[str]] | None = None) -> str:
    parts = []
    for code, label in classes.items():
        metas = "".join(
            f'<Meta name="excludeOnPrecedingModifier" value="{value}"/>' for value in (excluded or {}).get(code, [])
        )
        labels = label if label.startswith("<") else rubric("preferred", label)
        parts.append(f'<ModifierClass code="{code}" modifier="{name}">{metas}<SuperClass code="{name}"/>{labels}')
        parts.append("</ModifierClass>\n")
    subclasses = "".join(f'<SubClass code="{code}"/>' for code in classes)
    return f'<Modifier code="{name}">{subclasses}{rubric("text", "Die folgenden Stellen")}</Modifier>\n' + "".join(
        parts
    )


def claml(body: str, name: str = "ICD-10-GM", head: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}<ClaML version="2.0.0"><Meta name="lang" value="de"/>'
        f'<Identifier authority="BfArM" uid="1.2"/><Title name="{name}" version="2024">Titel</Title>\n{body}</ClaML>\n'
    )


def write(folder: Path, text: str | bytes, name: str = "claml.xml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def chapter(number: str, *blocks: str) -> str:
    below = [cls(block, number, "Gruppe", kind="block") for block in blocks]
    return cls(number, label="Kapitel", kind="chapter") + "".join(below)
