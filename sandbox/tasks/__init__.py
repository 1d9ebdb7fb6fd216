"""Tasks: their settings, data and candidates, and whether held-out means held-out."""
