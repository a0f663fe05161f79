"""What went wrong with the Hub or its cache, in words that say what to do."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from onkocode.records.errors import InputError
from onkocode.records.files import is_disk_full


@contextmanager
def told(hub: str, revision: str, key: str) -> Iterator[None]:
    """Turn what huggingface_hub raises into an InputError.

    Args:
        hub: Hub id.
        revision: what was asked for.
        key: key of the recipe that names the repository.

    Raises:
        InputError: unknown, gated or private repository, no network, or a cache that cannot be written to.
    """
    from httpx2 import HTTPError  # what huggingface_hub raises for connections, and derives its own errors from
    from huggingface_hub.errors import XetDownloadError

    try:
        yield
    except HTTPError as error:
        raise InputError(_refused(hub, revision, key, error) or _not_fetched(hub, error)) from None
    except (OSError, RuntimeError, ValueError, XetDownloadError) as error:
        raise InputError(_not_kept(hub, error)) from None


def _refused(hub: str, revision: str, key: str, error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    if isinstance(error, GatedRepoError):
        token = "is set" if os.environ.get("HF_TOKEN") else "is not set"
        return (
            f"{hub}: gated; accept its licence on its Hub page and set the environment variable HF_TOKEN "
            f"(which {token})"
        )
    if isinstance(error, RepositoryNotFoundError):
        return f"{hub}: no such repository on the Hub, or private without HF_TOKEN; check {key}.hub"
    if isinstance(error, RevisionNotFoundError):
        return f"{hub}: has no revision {revision!r}; check {key}.revision"
    return ""


def _not_kept(hub: str, error: Exception) -> str:
    from huggingface_hub import constants

    full, number = is_disk_full(error), getattr(error, "errno", None)
    if not full and number is None:  # what stands for no network has none
        return _not_fetched(hub, error)
    place = getattr(error, "filename", None) or constants.HF_HUB_CACHE
    cause = "the disk is full" if full else f"cannot write there ({os.strerror(number or 0)})"
    return (
        f"{hub}: cannot be kept in the cache of the Hub, {place}: {cause}; set the environment variable HF_HOME to "
        "a directory with room that you may write to, or `cache` of config/site.yaml, which comes before it"
    )


def _not_fetched(hub: str, error: Exception) -> str:
    return (
        f"{hub}: cannot be fetched ({type(error).__name__}); run it again where there is a network, what has arrived "
        "is kept"
    )
