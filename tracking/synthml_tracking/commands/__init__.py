"""Commands, one module for each or for a few that belong together; `cli` registers them.

Heavy libraries are imported inside the functions.
"""
