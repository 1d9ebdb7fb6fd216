"""A model that writes candidates: what it is told, what it costs, what it answers."""
