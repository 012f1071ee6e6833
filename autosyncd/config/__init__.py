"""The person's YAML becomes frozen dataclasses; every problem at once, with file and line."""
