"""What a change touches: which projects, reviews and tests have to be looked at again."""
