import pytest

from tests.cluster.slurm import LINK, alone, answer, missing


@pytest.fixture(scope="session")
def possible() -> None:
    """Install SLURM where it is missing; skip, and say why, where there can be none."""
    with alone():
        if LINK.exists() and "UP" in answer("scontrol", "ping"):  # not what a test that was killed has left
            pytest.skip("this machine belongs to a SLURM cluster already")
        reason = missing()
    if reason is not None:
        pytest.skip(reason)
