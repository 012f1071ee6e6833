"""Remotes: fetch, push, and what they refuse or bring."""
