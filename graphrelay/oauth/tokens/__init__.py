"""Tokens for those who submit: cached, renewed ahead of their end, and their state."""
