"""graphrelay: takes mail by SMTP and submits it to Microsoft 365 through Microsoft Graph."""

__version__ = "0.1.0"
