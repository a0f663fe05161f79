"""Step that fetches all that a study needs from elsewhere, ahead of its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from onkocode.records.errors import InputError, first_of
from onkocode.steps.app import step
from onkocode.steps.catalogues import retrieve_catalogue
from onkocode.steps.common import config_files
from onkocode.terminal import say

if TYPE_CHECKING:
    from onkocode.models.hub.snapshot import Plan, Wanted
    from onkocode.planning.fetching import Catalogue
    from onkocode.study import Study


@step(by_hand=True)
def fetch(
    *, config: Sequence[Path] = (), model: Sequence[str] = (), results: Path | None = None, check: bool = False
) -> None:
    """Fetch base models, published adapters and catalogues of a study, where there is a network; plan first.

    Models go to the cache of the Hub (`cache` of config/site.yaml, else HF_HOME), catalogues to the results. What is
    there is not fetched again.

    Args:
        config: configuration files; default: config/config.yaml
        model: {model} keys; default: all in `models`
        results: directory of results; default: that of the configuration
        check: only check what is there, every file by its hash, without a network
    """
    from onkocode.config.loading import merge_files
    from onkocode.config.site import read_site, use_cache
    from onkocode.planning import fetching
    from onkocode.records.offline import close_hub
    from onkocode.study import Study

    use_cache(read_site())
    files = config_files(config)
    study = Study(merge_files(files), files)
    folder = results or Path(study.config.pathvars.get("results", "results"))
    models = fetching.chosen_models(study, model)
    wanted = fetching.hub_files(study, models, folder)
    catalogues, problems = fetching.catalogues(study, models, folder)
    if check:
        close_hub()
    else:
        problems += _fetch_models(wanted) + _fetch_catalogues(study, catalogues)
    items = [fetching.state_of_files(each, again=check) for each in wanted]
    items += [fetching.state_of_catalogue(each) for each in catalogues]
    say(f"\n{fetching.items_table(items)}" if items else "The study needs nothing from elsewhere.")
    if not check and problems:
        raise InputError(f"not all could be fetched:\n{first_of(problems, len(problems))}")
    problems += [f"{item.name} {item.version}: {item.state}" for item in items if not item.is_there]
    if problems:
        raise InputError(f"not all is there; `onkocode fetch` fetches it:\n{first_of(problems, len(problems))}")


def _fetch_models(wanted: Sequence[Wanted]) -> list[str]:
    """Plan all, then fetch one after the other; returns what went wrong, which stops no other.

    Raises:
        InputError: no room for all.
    """
    from onkocode.models.hub.listing import size_text
    from onkocode.models.hub.snapshot import carry_out, check_room, make_plan, plan_line

    plans: list[Plan] = []
    problems: list[str] = []
    for each in wanted:
        try:
            plans.append(make_plan(each))
            say(plan_line(plans[-1]))
        except InputError as error:
            problems.append(str(error))
    if plans:
        room = size_text(plans[0].place.room(), free=True)
        say(f"{size_text(sum(plan.to_come for plan in plans))} to download, {room} free in {plans[0].place.cache}\n")
    check_room(plans)
    for plan in plans:
        try:
            carry_out(plan)
        except InputError as error:
            problems.append(str(error))
    return problems


def _fetch_catalogues(study: Study, catalogues: Sequence[Catalogue]) -> list[str]:
    """Download the catalogues that are neither the user's own nor retrieved; returns what went wrong."""
    problems: list[str] = []
    asked = [each for each in catalogues if not each.local and not each.output.is_file()]
    for each in asked:
        say(f"{each.dataset} {each.version}: {each.url or 'no address is known'}, into {each.output}")
        try:
            retrieve_catalogue(
                dataset=each.dataset,
                version=each.version,
                sources=Path(study.sources_file),
                consent=study.config.catalogues.accept_terms,
                output=each.output,
            )
        except InputError as error:
            problems.append(str(error))
    return problems
