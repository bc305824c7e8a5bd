"""What the workflows run, step by step: each is one command that also runs on a laptop."""
