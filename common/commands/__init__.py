"""One file a command: `add_arguments(parser)` without heavy imports, and `run(args) -> int`."""
