"""The acquisition camera."""
