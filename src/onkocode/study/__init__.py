"""What the workflow asks of the configuration: its jobs, the settings slice of each, and what each asks for."""

from onkocode.study.jobs import Study

__all__ = ["Study"]
