"""The engine for several relays with one queue: a PostgreSQL database. Needs psycopg, which only
this package imports."""

from graphrelay.spool.postgres.engine import PostgresSpool

__all__ = ["PostgresSpool"]
