"""Trained adapters as users hand them on: with a card, or merged into their base."""
