"""A process that renews an authorization through a process of its own, and may be killed meanwhile.

python -m tests.daemon.keeping STATE LOGIN_URL GRAPH_URL CA_FILE
"""

import asyncio
import sys
from pathlib import Path

from graphrelay.clock import SystemClock
from graphrelay.daemon.keeper_apart import KeeperApart, KeeperSettings
from graphrelay.journal import Journal, Sink
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.scenario import Account
from graphrelay.oauth.tokens.manager import TokenManager
from tests.oauth.conftest import DAEMON, WEBSITE


def apart(
    state: Path,
    cloud: TokenCloud,
    ca_file: Path,
    *accounts: Account,
    hear: Sink = lambda _: None,
) -> tuple[TokenManager, KeeperApart]:
    """As `serve` makes them."""
    keeper = KeeperApart(
        KeeperSettings(
            state_directory=state,
            token_cloud=cloud,
            ca_file=ca_file,
            proxy_url=None,
            vault_backend="auto",
            is_the_service=False,
        )
    )
    clock = SystemClock()
    manager = TokenManager(
        accounts or (WEBSITE, DAEMON), cloud, keeper, clock, Journal(clock, hear)
    )
    return manager, keeper


async def main(state: str, login_url: str, graph_url: str, ca_file: str) -> None:
    manager, _ = apart(Path(state), TokenCloud(login_url, graph_url), Path(ca_file))
    await manager.token("website", fresh=True)
    await manager.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
