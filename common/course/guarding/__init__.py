"""What a pull request may change, by whom and when: read from git's objects, nothing of it run."""
