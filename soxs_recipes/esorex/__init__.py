"""EsoRex plugins that run the recipes."""
