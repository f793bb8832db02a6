"""Entra ID, by msal: the grants, the credentials, and what its refusals mean."""
