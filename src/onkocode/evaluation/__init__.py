"""Asking checkpoints, judging their answers, and the measures that come from it."""
