"""Instructions for the admin, filled in from the configuration: pure functions that return text.

    Setup ──▶ config    a commented config.toml
          ──▶ portal    the app registration as steps in the Entra portal
          ──▶ azure     the same as `az` commands
          ──▶ exchange  a scope in Exchange Online as PowerShell

These functions take the same values that the relay runs with, so the instructions and the relay
cannot differ. (interview, questions and writing are the part of `init` that asks and writes.)
"""
