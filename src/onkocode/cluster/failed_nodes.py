"""Nodes that failed under a job, to which no further ones are sent for a while."""

import time

from onkocode.cluster.slurm import Row

WHILE = 1800.0  # seconds: a node that was started anew is as good as others


class FailedNodes:
    """Nodes that failed lately."""

    def __init__(self) -> None:
        self._when: dict[str, float] = {}

    def note(self, row: Row | None) -> None:
        """Take note of the node of a job that ended with it."""
        if row is not None and row.state in ("NODE_FAIL", "BOOT_FAIL") and row.node and "," not in row.node:
            self._when[row.node] = time.monotonic()

    def names(self) -> set[str]:
        """Return those that failed lately."""
        return {node for node, when in self._when.items() if time.monotonic() - when < WHILE}

    def forget(self) -> None:
        """Let jobs be sent to all of them again: without them there may be none with what jobs need."""
        self._when.clear()
