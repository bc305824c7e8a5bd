"""The laws: what each says, which projects take it up, and whether it passed when it was run.

Laws and tests are read and not run; whether they pass is told only by a record of a run.
"""
