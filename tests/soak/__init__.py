"""`make soak`: a thousand trials with kills and an engine that lies, and what is left of them."""
