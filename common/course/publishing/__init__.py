"""The public export: what is left out, what is searched for, how it is written."""
