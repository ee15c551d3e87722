"""Errors that a user can act on."""


class UserError(Exception):
    """Something is wrong with what the user gave: one message that names the file and the way out.

    Commands print the message alone and exit with status 1; ``--debug`` shows the traceback.
    """


class MissingWeightsError(UserError):
    """A weight file is neither on disk nor fetchable."""


class SchemaError(UserError):
    """A saved file has another schema version, or does not follow its schema."""
