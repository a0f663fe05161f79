"""What each verb does: read, call one function, write, with provenance beside the result."""
