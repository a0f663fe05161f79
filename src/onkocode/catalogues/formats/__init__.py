"""Reading the files of catalogues, and of users' texts, into entries and label spaces."""
