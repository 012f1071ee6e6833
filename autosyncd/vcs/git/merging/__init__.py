"""Merge: histories become one, off the work tree."""
