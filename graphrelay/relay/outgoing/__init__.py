"""Composing a message for Graph: as MIME with the header section edited by splicing, or converted
to JSON."""
