"""`graphrelay` for a cloud that shows at once what was sent, as the sandbox does: what is in doubt
is looked for after seconds. Exchange is given minutes.

python -m tests.e2e.prompt --config config.toml serve
"""

from datetime import timedelta

from graphrelay.cli import main
from graphrelay.relay.policy import decision

if __name__ == "__main__":
    decision.SETTLE_AFTER = timedelta(seconds=1)
    decision.LOOK_AGAIN_AFTER = timedelta(seconds=1)
    main()
