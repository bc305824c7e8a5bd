"""The public site: static pages of the tree, which need no network, no server and no script.

Every module gives pages (common.course.site.pages.Page) or files; `build.py` writes them. Reads files
and git; imports neither torch nor any project.
"""
