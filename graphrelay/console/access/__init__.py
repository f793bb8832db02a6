"""Who may use the console: sessions, links, form tokens, and where a request comes from."""
