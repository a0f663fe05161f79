"""From known sources to files: the user's own, or downloaded with consent."""
