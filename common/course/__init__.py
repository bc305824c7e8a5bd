"""The developer/reviewer cycle: scaffold, check, review, assign, freeze, grade, publish.

Reads files and git; imports neither torch nor any project.
"""
