"""`python -m graphrelay` is `graphrelay`."""

from graphrelay.cli import main

main()
