"""The exception whose message is meant for the user."""


class UserError(Exception):
    """A fault that the user can fix: the message names the thing, the rule, the value met and the way out.

    Stage scripts and the command line print only the message, without a traceback, and exit with 1.
    """
