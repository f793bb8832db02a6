"""Access tokens: cached, renewed before they expire, and the state of each authorization."""
