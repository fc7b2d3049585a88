"""Plugins that make the recipes EsoRex recipes, and the process that does their work.

``install`` builds the plugins, ``plugin_dir`` says where; both are in
:mod:`soxs_recipes.esorex.installation`. The process that a plugin starts is
:mod:`soxs_recipes.esorex.child`; this file imports nothing, since that process must start fast.
"""
