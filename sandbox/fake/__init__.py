"""The contract without an engine, for tests of the loop."""
