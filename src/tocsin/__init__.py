"""Tocsin learns by example, watches what comes in, and rings for a person who can act."""

from importlib.metadata import version

__version__ = version("tocsin")
