"""The one exception that is meant for the user's eyes."""


class UserError(Exception):
    """Something the user can mend: the message names the thing, the rule, the value met and the way out.

    Stage scripts and the command line print the message alone, without a traceback, and exit with 1.
    """
