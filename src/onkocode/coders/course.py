"""The course of a job that answers: how far it is, and whether it leaves before it is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onkocode.records.errors import StoppedError
from onkocode.records.limits import seconds_left
from onkocode.records.progress import Progress
from onkocode.records.stopping import StopRequest, listening


class Course:
    """Follows a job over all that it answers, under one condition or several.

    A job leaves behind a batch, never within one, so that the next one asks in the same batches. Each try answers one
    batch at least unless somebody asks it to leave, so that a time limit that is too short ends at some time all the
    same.

    Args:
        scratch: folder of the job, where others ask it to stop and see how far it is.

    Attributes:
        later: questions that come after those that were announced, as far as that is known.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._request: StopRequest | None = None
        self._announced, self._longest = 0, 0.0
        self.progress, self.later = Progress(scratch, "answering"), 0
        self.leaving = False

    def announce(self, total: int, done: int) -> None:
        """Say how many questions there are, and how many have an answer from before."""
        self._announced += total
        self.progress.extend(done)
        self.progress.total = self._announced + self.later

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Hear those who ask the job to stop while the block answers.

        Raises:
            StoppedError: somebody did before.
        """
        if self._request is None:
            self._request = StopRequest(self._scratch, seconds_left())
            self.progress.begin()
        self.leaving = self.leaving or self._request.asked
        with listening(self._request):
            self.go_on()
            try:
                yield
            finally:
                self.progress.close()

    def answered(self, count: int, seconds: float) -> None:
        """Take note of a batch of so many questions, and of whether to leave before the next one."""
        self._longest = max(self._longest, seconds)
        self.progress.advance(self.progress.done + count)
        self.leaving = self._request is not None and self._request.here(self._longest)

    def go_on(self) -> None:
        """Go on to what is left, if the job may.

        Raises:
            StoppedError: it is to leave.
        """
        if self.leaving:
            done, total = self.progress.done, self.progress.total
            raise StoppedError(
                f"asked to stop, or out of time; the answers to {done} of {total} questions are saved; start the same "
                "job again to go on"
            )
