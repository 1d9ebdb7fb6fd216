"""Trials: one of them, those that there are by key, and what they came to."""
