"""Step 6: the one process that talks to the outside."""
