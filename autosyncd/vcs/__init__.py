"""Step 3: commit and sync, behind one door (driver.py)."""
