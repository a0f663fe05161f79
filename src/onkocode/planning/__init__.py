"""What training will cost, before it runs."""
