"""A message as Graph takes it: as MIME with the header changed by splicing, or taken apart as
JSON."""
