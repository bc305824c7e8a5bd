"""Adjudication and grades; everything here is written to the private folder only."""
