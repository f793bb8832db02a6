# The life of the Debian package: see test_debian.py. Each `check` (checks.sh) is a sentence and a command.

check "it installs" dpkg -i "$old"
check "its files are as dpkg put them" sh_ '[ -z "$(dpkg --verify graphrelay)" ]'
check "the service's user is there" id graphrelay
check "the configuration's folder is closed to others" sh_ '[ "$(stat -c "%a %U %G" /etc/graphrelay)" = "750 root graphrelay" ]'
check "without a configuration it is enabled and not started" sh_ '[ "$(systemctl is-enabled graphrelay)" = enabled ] && ! systemctl is-active graphrelay && ! systemctl is-failed graphrelay'
check "the program runs" graphrelay --version
for page in graphrelay graphrelay.toml graphrelay-sendmail; do
    check "man $page" sh_ "man -w $page && man $page | grep -q ."
done
check "an example is in the documentation" test -e /usr/share/doc/graphrelay/examples/config.example.toml
check "bash completes verbs" sh_ '. /usr/share/bash-completion/completions/graphrelay; COMP_WORDS=(graphrelay sta) COMP_CWORD=1; _graphrelay_completion graphrelay sta graphrelay 2>/dev/null || true; [ "${COMPREPLY[0]}" = status ]'

cloud
sed 's|^state_directory.*|state_directory = "/var/lib/graphrelay"|' /srv/cloud/config.toml >/srv/config.toml
install -m 600 /srv/config.toml /etc/graphrelay/config.toml
chgrp graphrelay /etc/graphrelay/config.toml; chmod 640 /etc/graphrelay/config.toml
check "it starts with a configuration" systemctl start graphrelay
check "it is authorized" graphrelay authorize website
check "mail arrives" sh_ "$(declare -f send arrived); send first && arrived first"

systemctl stop cloud
send waits
check "mail waits while the cloud is away" waiting 1
check "it upgrades" dpkg -i "$new"
check "the new version runs after the upgrade" sh_ 'systemctl is-active graphrelay && dpkg -s graphrelay | grep -q "^Version: .*+test"'
check "mail that waited is there after the upgrade" waiting 1
check "a downgrade is refused" sh_ "! dpkg -i $old"
check "after the refusal the newer version is installed" sh_ 'dpkg -s graphrelay | grep -q "^Status: install ok installed" && dpkg -s graphrelay | grep -q "^Version: .*+test" && graphrelay --version'
check "after the refusal it runs" sh_ 'systemctl is-active graphrelay || { systemctl status graphrelay; exit 1; }'
cloud
systemctl restart graphrelay
graphrelay queue retry --all
check "mail that waited arrives" arrived waits

check "graphrelay-mta installs" dpkg -i graphrelay-mta_*.deb
check "sendmail is a mail-transport-agent" sh_ 'dpkg -s graphrelay-mta | grep -q "^Provides: mail-transport-agent"'
check "it runs with the mta" active
check "what sendmail takes arrives" sh_ "$(declare -f arrived); printf 'From: wp@contoso.com\nTo: a@b.example\nSubject: local\n\nHello\n' | setpriv --reuid=daemon --regid=daemon --clear-groups sendmail -t && arrived local"
check "mailq names the command" sh_ 'mailq 2>&1 | grep -q "graphrelay queue list"'
check "graphrelay-mta goes" dpkg -P graphrelay-mta

systemctl stop cloud
send kept
check "it is removed" dpkg -r graphrelay
systemctl reset-failed cloud 2>/dev/null
check "the service has ended" sh_ '! pgrep -u graphrelay'
check "queue and configuration stay" test -e /var/lib/graphrelay/spool.db -a -e /etc/graphrelay/config.toml
check "it installs again" dpkg -i "$new"
check "it starts by itself where there is a configuration" active
check "mail of before is there" waiting 1
check "it is purged" dpkg -P graphrelay
for path in /etc/graphrelay /var/lib/graphrelay /var/spool/graphrelay /usr/lib/graphrelay /usr/bin/graphrelay; do
    check "a purge leaves no $path" test ! -e $path
done
mkdir -p /etc/graphrelay
install -m 600 /srv/config.toml /etc/graphrelay/config.toml
check "it installs over a configuration that init wrote before" dpkg -i "$new"
check "it may then read the file, and runs" sh_ '[ "$(stat -c "%a %G" /etc/graphrelay/config.toml)" = "640 graphrelay" ] && systemctl is-active graphrelay'
check "systemd has nothing to complain about" sh_ '! journalctl -b -u graphrelay -p err | grep -v -- "-- " | grep .'
journalctl -b --no-pager -u graphrelay | tail -n 50
echo "the end"
