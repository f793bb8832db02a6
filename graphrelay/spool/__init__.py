"""The mail that the relay owns: the contract (contract.py, with what it speaks of in changes.py,
queries.py, values.py and errors.py), and the engines that keep it. docs/spool.md describes what is
on the disk."""

from graphrelay.spool.contract import Spool

__all__ = ["Spool"]
