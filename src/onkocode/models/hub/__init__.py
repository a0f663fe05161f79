"""Files of the Hugging Face Hub: planned, downloaded into the shared cache, and checked against the Hub's hashes."""
