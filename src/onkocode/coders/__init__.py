"""Coders: whatever answers questions, behind one interface."""
