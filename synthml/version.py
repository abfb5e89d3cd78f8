"""The version of this package, for whatever has to say by what it was made."""

__all__ = ["__version__"]

__version__ = "0.1.0"
