"""The Entra ID half of the sandbox: sign-in pages and token endpoints."""
