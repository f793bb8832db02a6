"""`graphrelay reload`, and with it `systemctl reload`, succeeds or says why not."""

from pathlib import Path

from tests.e2e.commands import graphrelay
from tests.e2e.kill_nine import relaying


async def test_a_reload_says_what_came_of_it(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    async with relaying(tmp_path) as (_, daemon, flood):
        await daemon.start()
        await flood.greeted()
        good = config.read_text("utf-8")

        config.write_text(f"colour = 'red'\n{good}", "utf-8")
        refused = await graphrelay(config, "reload")
        assert (refused.code, refused.out) == (1, "")
        assert f"{config}: line 1: colour: unknown key" in refused.err
        assert "The old settings stay in effect." in refused.err

        config.write_text("[[[", "utf-8")
        assert (await graphrelay(config, "reload", **of(tmp_path))).code == 1

        route = '\n[[routes]]\naccount = "website"\nsender = ["contoso.com"]\n'
        config.write_text(f"{good}{route}[log]\nlevel = 'debug'\n", "utf-8")
        reloaded = await graphrelay(config, "reload")
        assert (reloaded.code, reloaded.err) == (0, "")
        assert reloaded.out.startswith(f"{config} is in effect\nwarning: ")
        assert '"contoso.com" matches no address' in reloaded.out
        assert "changed, and read only at start: [log]. Run: " in reloaded.out
        (event,) = (await graphrelay(config, "reload", "--json")).events
        assert event["needs_restart"] == ["log"]
        await daemon.stop()


def of(folder: Path) -> dict[str, str]:
    """The relay's address, as systemd passes it to ExecReload: the file cannot contain it."""
    return {"STATE_DIRECTORY": str(folder / "state")}


async def test_without_a_relay_mistakes_come_first_and_then_how_to_start_it(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.toml"
    async with relaying(tmp_path):
        good = config.read_text("utf-8")
        assert "no relay answers at " in (await graphrelay(config, "reload")).err
        config.write_text(f"colour = 'red'\n{good}", "utf-8")
        mistaken = await graphrelay(config, "reload")
    assert mistaken.code == 78
    assert "colour: unknown key" in mistaken.err
