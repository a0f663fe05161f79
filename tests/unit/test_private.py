"""Private files are closed to others, and one command removes them all."""

import os
import stat
from pathlib import Path

import polars as pl
import pytest

from onkocode.cli import main
from onkocode.records.errors import InputError
from onkocode.records.files import located, write_text
from onkocode.records.private import FOLDERS, VARIABLE, close_folder, find_private, restrict_to_owner
from onkocode.records.provenance import Provenance
from onkocode.records.schemas import empty_table, write_table

OF_JOBS = ("endings.json", "failure.json", "owner.json", "progress.json", "stop")

pytestmark = pytest.mark.usefixtures("umask")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_private_files_are_closed_up_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    path = Path("private/texts/mine/entries.parquet")
    (tmp_path / "private/texts").mkdir(parents=True)  # open to others until now
    restrict_to_owner(path)
    write_text(path, "text")
    assert [mode(tmp_path / part) for part in ("private", "private/texts", "private/texts/mine")] == [0o700] * 3
    assert mode(path) == 0o600
    assert mode(tmp_path) == 0o755


def test_an_absolute_path_closes_what_it_makes(tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer").chmod(0o755)
    restrict_to_owner(tmp_path / "outer" / "new" / "inner" / "file")
    assert mode(tmp_path / "outer") == 0o755
    assert mode(tmp_path / "outer" / "new") == mode(tmp_path / "outer" / "new" / "inner") == 0o700
    assert os.umask(0o077) == 0o077


@pytest.mark.parametrize("relative", [False, True])
def test_folders_that_the_workflow_made_are_closed_up_to_its_private_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "far" / "private"
    monkeypatch.setenv(VARIABLE, str(root))
    folder = root / "predictions" / "m" / "epoch-0"
    folder.mkdir(parents=True)  # as Snakemake does, open to others
    (tmp_path / "far").chmod(0o755)
    given = Path("far/private/predictions/m/epoch-0/a.parquet") if relative else folder / "a.parquet"
    restrict_to_owner(given)
    assert [mode(path) for path in (root, root / "predictions", folder.parent, folder)] == [0o700] * 4
    assert mode(tmp_path / "far") == 0o755


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_folders_of_others_are_left_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool, named: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "private") if named else "")
    (tmp_path / "shared" / "texts").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "shared", tmp_path / "shared" / "texts"):
        folder.chmod(0o755)
    start = Path() if relative else tmp_path
    for path in (start / "shared/texts/file", start / "shared/texts/new/newer/file"):
        restrict_to_owner(path)
        write_text(path, "text")
        assert mode(path) == 0o600
    assert [mode(tmp_path / part) for part in ("", "shared", "shared/texts")] == [0o755] * 3
    assert [mode(tmp_path / "shared/texts" / part) for part in ("new", "new/newer")] == [0o700] * 2


@pytest.mark.parametrize("link", ["private", "private/texts", "private/texts/mine"])
@pytest.mark.parametrize("relative", [False, True])
def test_links_within_the_private_folder_are_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str, relative: bool
) -> None:
    """A large disk elsewhere is part of it; what lies around there is not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "private"))
    disk = tmp_path / "disk" / "mine"
    disk.mkdir(parents=True)
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(disk)
    for folder in (tmp_path, tmp_path / "disk", disk):
        folder.chmod(0o755)
    start = Path() if relative else tmp_path
    restrict_to_owner(start / "private/texts/mine/file")
    assert {mode(tmp_path / part) for part in ("private", "private/texts", "private/texts/mine")} == {0o700}
    assert (mode(disk), mode(tmp_path / "disk"), mode(tmp_path)) == (0o700, 0o755, 0o755)


def test_a_link_into_the_private_folder_leads_to_closed_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "far" / "private"))
    (tmp_path / "far/private/texts").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far/private/texts")
    for folder in (tmp_path, tmp_path / "far", tmp_path / "far/private", tmp_path / "far/private/texts"):
        folder.chmod(0o755)
    restrict_to_owner(tmp_path / "link/mine/file")
    assert {mode(tmp_path / "far" / part) for part in ("private", "private/texts", "private/texts/mine")} == {0o700}
    assert (mode(tmp_path / "far"), mode(tmp_path)) == (0o755, 0o755)


@pytest.mark.parametrize("relative", [False, True])
def test_all_folders_on_the_way_to_the_private_one_are_made_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    """As at the start of the workflow, whose engine would make them open to all."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there").chmod(0o755)
    folder = Path("there/far/away/private") if relative else tmp_path / "there/far/away/private"
    monkeypatch.setenv(VARIABLE, str(folder.absolute()))
    close_folder(folder)
    assert {mode(tmp_path / "there" / part) for part in ("far", "far/away", "far/away/private")} == {0o700}
    assert mode(tmp_path / "there") == 0o755
    close_folder(folder)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder with what the verbs write, half-written files of a killed job among it."""
    root = tmp_path / "private"
    for name in FOLDERS:
        table = root / name / "m" / "epoch-0" / "x.parquet"
        write_table(empty_table("answers"), "answers", table)
        Provenance("v", {}, {}).write(table)
        (table.parent / ".x.parquet.77.tmp.parquet").write_bytes(b"half")
        (table.parent / ".x.parquet.provenance.json.77.tmp.json").write_bytes(b"half")
        for file in (*OF_JOBS, ".progress.json.77.tmp.json"):
            (table.parent / file).write_text("")
    return root


def test_one_command_removes_everything_private(private: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove-private", str(private)]) == 2  # nobody is asked here
    assert "--yes" in capsys.readouterr().err
    assert private.is_dir()
    assert main(["remove-private", str(private), "--yes"]) == 0
    assert f"{len(FOLDERS) * 10} files" in capsys.readouterr().out
    assert not private.exists()


@pytest.mark.parametrize(("answer", "gone"), [("yes", True), ("y", False), ("", False)])
def test_on_a_terminal_the_user_is_asked(
    private: Path, monkeypatch: pytest.MonkeyPatch, answer: str, gone: bool
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    assert main(["remove-private", str(private)]) == (0 if gone else 2)
    assert private.exists() != gone


def test_what_is_not_the_program_s_is_never_removed(private: Path, tmp_path: Path) -> None:
    notes = private / "notes.txt"
    notes.write_text("mine")
    assert main(["remove-private", str(private), "--yes"]) == 0
    assert [path.name for path in private.iterdir()] == ["notes.txt"]
    home = tmp_path / "home"
    for name in ("thesis.docx", "data.csv"):
        (home / "texts").mkdir(parents=True, exist_ok=True)
        (home / "texts" / name).write_text("mine")
    with pytest.raises(InputError, match="not of onkocode") as caught:
        find_private(home)
    assert "thesis.docx" in str(caught.value)
    assert main(["remove-private", str(home), "--yes"]) == 2
    assert (home / "texts" / "data.csv").is_file()


def test_links_are_neither_followed_nor_removed(private: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    pl.DataFrame({"a": [1]}).write_parquet(outside.with_suffix(".parquet"))
    (private / "texts" / "link.parquet").symlink_to(outside.with_suffix(".parquet"))
    assert main(["remove-private", str(private), "--yes"]) == 2
    (private / "texts" / "link.parquet").unlink()
    (private / "scratch2").symlink_to(tmp_path)
    assert main(["remove-private", str(private), "--yes"]) == 0
    assert outside.with_suffix(".parquet").is_file()


def test_missing_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove-private", str(tmp_path / "nowhere"), "--yes"]) == 2
    assert "pathvars.private" in capsys.readouterr().err


def test_shipped_files_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table = Path("config/catalogues.tsv")
    found = located(table)
    assert found.is_absolute()
    assert found.is_file()
    (tmp_path / "config").mkdir()
    (tmp_path / table).write_text("mine")
    assert located(table) == table  # one's own comes first
    assert located(Path("config/nowhere.tsv")) == Path("config/nowhere.tsv")
