"""Data sets of questions as users see them: described, compared, exported with a card."""
