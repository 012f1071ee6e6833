"""Step 5: keep the children alive and pass their news on."""
