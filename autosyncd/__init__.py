"""Keep version-controlled folders in sync between a person's machines."""

__version__ = "0.1.0"
