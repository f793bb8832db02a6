"""What a person has to do elsewhere, filled in from what is configured: pure functions to text.

    Setup ──▶ config    a commented config.toml
          ──▶ portal    the app registration as steps in the Entra portal
          ──▶ azure     the same as `az` commands
          ──▶ exchange  a scope in Exchange Online as PowerShell

Nothing here asks, writes or connects. All of it takes the same values that the relay runs with, so
what is shown and what is used cannot differ.
"""
