"""Who may connect, and who they are: addresses, logins, certificates."""
