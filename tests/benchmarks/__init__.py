"""Speed beside the best installable peers: `make bench` runs every `bench_*.py` of this folder.

A benchmark file has `rows() -> list[Row]`. Peers are imported inside it, at equal sizes, weights
where they can be loaded, threads and repetitions; a peer that is not installed is reported, never
left out in silence. Nothing here is a test: a slow machine fails nobody.
"""
