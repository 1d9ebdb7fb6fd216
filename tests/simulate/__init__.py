"""Keep rules against candidates whose true gain is known: `make simulate`."""
