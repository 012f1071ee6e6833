"""Step 1: a file changes."""
