"""HTTP to Graph: connections, TLS, and how far a request got when it failed."""
