"""What has arrived of a download, kept between runs."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Part:
    """What has arrived of a file, as it was sent, and beside it what tells whether more of it may be appended."""

    file: Path
    url: str

    @property
    def name(self) -> str:
        """Name of the file at the server."""
        return PurePosixPath(urlsplit(self.url).path).name

    @property
    def _notes(self) -> Path:
        return self.file.with_name(self.file.name + ".json")

    def noted(self, key: str) -> str:
        """Return the `validator` or the `encoding` of what is there; empty when it has none or is of another URL."""
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            return str(notes[key]) if notes["url"] == self.url else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def size(self) -> int:
        """Return how many bytes there are to which more may be appended."""
        return self.file.stat().st_size if self.noted("validator") and self.file.is_file() else 0

    def begin(self, validator: str, encoding: str) -> None:
        """Note what is about to arrive from its first byte on."""
        self.remove()
        self.file.touch()
        notes = {"url": self.url, "validator": validator, "encoding": encoding}
        self._notes.write_text(json.dumps(notes), encoding="utf-8")

    def remove(self) -> None:
        """Remove everything."""
        self.file.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)
