"""Entra ID and Graph mail on loopback, for trying the relay and for tests.

It imports nothing from the relay and follows Microsoft's documents alone, so that the two do not
share mistakes.
"""

from graphrelay.sandbox.directory import App, Directory, Secret, Tenant, User, contoso
from graphrelay.sandbox.faults import Faults
from graphrelay.sandbox.server import Sandbox
from graphrelay.sandbox.tokens import Principal, TokenIssuer, TokenProblem

__all__ = [
    "App",
    "Directory",
    "Faults",
    "Principal",
    "Sandbox",
    "Secret",
    "Tenant",
    "TokenIssuer",
    "TokenProblem",
    "User",
    "contoso",
]
