"""Signing in once: by browser with a loopback redirect, or by device code."""
