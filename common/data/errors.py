"""The errors of this room."""

from common.errors import UserError


class DataError(UserError):
    """A data set cannot be had as asked: which, why, and what to do next."""


class MissingData(DataError):
    """The set's files, or some of them, are not on this machine; those that are were not judged."""
