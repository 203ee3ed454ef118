"""Makes samples/scenario: three weeks of the logs of a small company that does not exist.

Everything follows from the seed: each person, day and purpose has its own generator of random numbers, so
that a change in one place leaves the rest as it was.
"""
