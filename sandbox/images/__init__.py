"""Images by id: the two roles', and those of a task that brings Dockerfiles."""
