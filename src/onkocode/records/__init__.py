"""What every stage agrees on: errors, text keys, hashes, table schemas, atomic files and provenance."""
