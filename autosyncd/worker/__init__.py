"""Step 2: what one repository does about it."""
