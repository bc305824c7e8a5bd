"""The API reference of `common`: a page a module, from its docstrings, with its source.

Read by griffe from the text of the files; nothing is imported, so that torch is not either.
"""
