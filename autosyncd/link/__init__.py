"""Step 4: frozen dataclasses between two processes."""
