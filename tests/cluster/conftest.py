import os

import pytest

from tests.cluster.slurm import LINK, missing


@pytest.fixture(scope="session")
def possible() -> None:
    """Install SLURM where it is missing; skip, and say why, where there can be none."""
    if LINK.exists() and not os.environ.get("ONKOCODE_TEST_CLUSTER"):
        pytest.skip("this machine belongs to a SLURM cluster already")
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
