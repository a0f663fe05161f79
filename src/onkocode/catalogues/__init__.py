"""From catalogue files and users' files to entries and label spaces."""
