"""Similarity of code between projects, for a person to judge."""
