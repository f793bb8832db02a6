"""The mail that the relay is responsible for: the contract (contract.py, with its values in
changes.py, queries.py, values.py and errors.py), and the engines that implement it. docs/spool.md
describes the format on disk."""
