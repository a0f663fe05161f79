"""Base models: where they come from, how they are loaded, and the one function that turns a question into tokens."""
