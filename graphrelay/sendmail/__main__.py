"""`python -m graphrelay.sendmail` is `graphrelay-sendmail`."""

import sys

from graphrelay.sendmail import main

sys.exit(main())
