"""The numbers that Lenz et al. 2025 print, with their places; the only copy, for whatever shows or compares them."""

from onkocode.paper.numbers import Ceiling, Paper, QuestionBlock, ReportedModel, paper

__all__ = ["Ceiling", "Paper", "QuestionBlock", "ReportedModel", "paper"]
