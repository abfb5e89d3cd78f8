"""Commands of the custodian, one module each; `cli` registers them. Heavy libraries are imported inside the functions."""
