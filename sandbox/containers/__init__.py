"""Containers: what one is, sets of them, what they hold, and what removes them."""
