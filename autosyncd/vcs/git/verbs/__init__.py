"""Verbs: what the door runs, put together from the rooms."""
