"""Generated workflow files."""
