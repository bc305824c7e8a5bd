"""Errors that are meant for the person at the keyboard."""


class UserError(ValueError):
    """Bad input, told in one message: the value, what was expected, what to do next.

    The command line prints it without a traceback and exits with status 2.
    """
