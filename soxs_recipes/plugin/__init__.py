"""The folder that PyEsoRex scans for recipes."""
