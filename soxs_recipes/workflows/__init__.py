"""Generators of the EsoReflex workflow and the OCA rules."""
