"""The embedded runner: PyEsoRex's command for recipes of this and other packages.

`main.main` is the command, `execution.run_recipe` runs one recipe from Python.
"""
