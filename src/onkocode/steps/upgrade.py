"""The step that takes over what an earlier version of onkocode wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onkocode.records.errors import InputError
from onkocode.steps.app import step
from onkocode.steps.common import config_files
from onkocode.terminal import say


@step(by_hand=True)
def keep_answers(*, config: Sequence[Path] = ()) -> None:
    """Take over the answers of predictions that an earlier version wrote, so that later runs ask only what is new.

    Args:
        config: configuration files, later ones over earlier ones
    """
    from onkocode.config.loading import merge_files
    from onkocode.study import Study
    from onkocode.study.kept_answers import keep_answers_of, places_of

    files = config_files(config)
    for place in places_of(Study(merge_files(files), files)):
        try:
            say(f"{place}: {keep_answers_of(place)} answers kept")
        except InputError as error:
            say(f"{place}: passed over ({error})")
