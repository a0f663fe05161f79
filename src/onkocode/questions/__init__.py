"""From entries to questions: blocks, formulations, splits."""
