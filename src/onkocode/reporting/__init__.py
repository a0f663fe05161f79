"""Figures and tables from finished results; nothing here computes a metric."""
