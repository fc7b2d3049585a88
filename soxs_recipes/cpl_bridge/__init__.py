"""Bridge to CPL."""
