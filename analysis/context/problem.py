"""The error that tells a user what is wrong with a context file."""


class ContextError(Exception):
    """A context file cannot be used; the message says which, why, and what to do."""
