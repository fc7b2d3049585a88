"""The embedded runner behind the pyesorex command."""
