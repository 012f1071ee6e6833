"""Step 7: other machines."""
