"""Errors shown to the user: the exceptions for mistakes that a user can correct.

    UserError           shown as one line, exit code 2, no traceback
      ConfigError       a setting contradicts another, or names nothing
      DataError         a folder or an image is not what the config says
      WeightsError      tensors or a checkpoint that do not fit
        NoHeadError     tensors without a head, from which a training can start all the same

The message says *what* (the key as typed and its value), *why* (what it met) and *do* (the remedy),
in one line. A programming error is none of these and keeps its traceback.
"""

import errno


class UserError(Exception):
    """A mistake that the user can correct; the message is all that they see."""


class ConfigError(UserError, ValueError):
    """A setting contradicts another, or names nothing."""


class DataError(UserError):
    """A folder or an image is not what the config says."""


class WeightsError(UserError):
    """Tensors or a checkpoint that do not fit."""


class NoHeadError(WeightsError):
    """Tensors without a head, from which a training can start all the same."""


def is_full(error: OSError) -> bool:
    """Whether there was no room to write: on the disk, in a quota, or below a limit on files."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
