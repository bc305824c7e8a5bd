"""The one error of this room."""

from common.errors import UserError


class DataError(UserError):
    """A data set cannot be had as asked: which, why, and what to do next."""
