"""Two versions of a catalogue beside each other: what changed, and what that means for coded records."""
