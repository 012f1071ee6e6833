"""Commit: what changed in the work tree comes into history."""
