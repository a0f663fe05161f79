"""Codes, entries and label spaces: what every other package says about catalogues."""
