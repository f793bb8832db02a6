"""Hypothesis without deadlines: how long an example takes says more about the machine than about
the code. Where time matters, a test measures it."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
