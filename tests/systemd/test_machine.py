"""The service under real systemd: started, reloaded, killed, hung, stopped, misconfigured."""

import pytest

from tests.systemd.machine import run_trial, why_not
from tests.systemd.trial import CONFIG, Findings
from tests.tools import machine_cannot, needs, needs_root


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    nspawn = needs("nspawn")
    needs_root()
    if problem := why_not(nspawn):
        machine_cannot("boot", problem)
    findings = Findings(**run_trial(nspawn, tmp_path_factory.mktemp("machine")))
    assert findings.problem == "", findings.journal
    return findings


def test_it_starts_as_its_own_user_and_says_that_it_is_ready(found: Findings) -> None:
    assert found.started == ""
    assert found.user == "graphrelay"
    assert found.status_text != ""


def test_mail_to_port_25_arrives_although_it_may_not_open_the_port(found: Findings) -> None:
    assert found.arrived == 1


def test_root_asks_it_for_its_status_and_leaves_no_file_behind(found: Findings) -> None:
    assert "Authorized" in found.account_status
    assert found.not_the_users == ""


def test_nobody_else_can_read_what_it_keeps(found: Findings) -> None:
    open_to_others = [line for line in found.modes.splitlines() if line.split()[0][-2:] != "00"]
    assert found.modes.startswith("700 \n")
    assert open_to_others == []


def test_the_vault_uses_the_key_that_systemd_hands_over(found: Findings) -> None:
    assert "vault" in found.modes
    assert "vault.key" not in found.modes


def test_a_command_for_a_stopped_service_without_its_secrets_says_to_start_it(
    found: Findings,
) -> None:
    name = "accounts.website.client_secret"
    assert "can be used" in found.checked
    assert f"{name}: a systemd credential of the service" in found.checked
    assert found.status_without_secret.startswith("[1] ")
    assert f"systemd gives {name} to it alone" in found.status_without_secret
    assert found.authorized_without_key.startswith("[1] ")
    assert "The vault's key is a systemd credential" in found.authorized_without_key
    assert "sudo systemctl start graphrelay" in found.authorized_without_key


def test_its_memory_is_never_written_to_disk(found: Findings) -> None:
    assert found.core_limit.split() == ["0", "0"]
    assert found.memory_belongs_to == "root"  # and not graphrelay's (proc(5))


def test_it_goes_on_after_a_reload(found: Findings) -> None:
    assert "config=/etc/graphrelay/config.toml" in found.reloaded
    assert found.active_after_reload == "active"


def test_a_reload_of_a_bad_configuration_fails_says_why_and_changes_nothing(
    found: Findings,
) -> None:
    assert found.refused.startswith("[1] ")
    assert f"graphrelay: {CONFIG}: line 1: colour: unknown key" in found.refused_because
    assert found.active_after_refusal == "active"


def test_it_comes_back_after_a_kill(found: Findings) -> None:
    assert found.restarts_after_kill == "1 active"
    assert found.arrived_after_kill == 2


def test_it_is_started_again_when_it_hangs(found: Findings) -> None:
    assert found.restarts_after_hang == "2 active"
    assert found.arrived_after_hang == 3


def test_any_user_hands_in_mail_by_sendmail(found: Findings) -> None:
    assert found.handed_in.startswith("250 2.0.0 Ok: queued as")


def test_mail_that_sendmail_left_is_taken_up_and_its_user_known(found: Findings) -> None:
    assert "it waits in /var/spool/graphrelay/drop" in found.left
    assert found.dropped == "640 nobody graphrelay"
    assert found.arrived_from_sendmail == 5
    assert " user=nobody " in found.taken


def test_a_stop_is_no_failure(found: Findings) -> None:
    assert found.stopped == "inactive success"


def test_a_bad_configuration_ends_it_for_good(found: Findings) -> None:
    assert found.failed_with == "failed 78 0"
