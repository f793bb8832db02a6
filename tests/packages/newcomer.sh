# What somebody types who has a Debian server, a tenant and README: see test_newcomer.py.

faults() { curl -sf -X PUT http://127.0.0.1:8025/api/faults --json "{\"faults\": [$1]}" >/dev/null; }
says() { # FILE WORDS
    grep -q "$2" "$1" || { cat "$1"; return 1; }
}
authorize() { # as on a desktop: the command opens the browser that $BROWSER names
    BROWSER='/usr/bin/python3 /trial/project/tests/packages/browser.py %s &' graphrelay authorize >/tmp/authorize
    says /tmp/authorize '^Authorized: wp@contoso.com'
}
wordpress() { # SUBJECT
    mkdir -p /srv/site/mu-plugins
    cp /trial/graphrelay.php /srv/site/mu-plugins/
    export SITE_WORDPRESS=/usr/share/wordpress SITE_CONTENT=/srv/site
    export SITE_DATABASE_SOCKET=/run/mysqld/mysqld.sock
    if ! [ -e /srv/site/installed ]; then
        mysql -e "CREATE DATABASE wordpress CHARACTER SET utf8mb4;
            CREATE USER wordpress@localhost IDENTIFIED BY ''; GRANT ALL ON wordpress.* TO wordpress@localhost"
        php /trial/wordpress/install.php
        touch /srv/site/installed
    fi
    printf '{"call": "wp_mail", "with": ["alice@contoso.com", "%s", "Hello"]}' "$1" |
        php /trial/wordpress/call.php
}
waits() { [ "$(graphrelay queue list --json | wc -l)" = "$1" ]; }

# Install
check "the package installs" dpkg -i "$old"
check "the commands are there" sh_ 'graphrelay --version && man -w graphrelay'

# Set up
cloud --scenario user
install -m 644 -D /srv/cloud/ca.pem /etc/graphrelay/cloud.pem
client=$(sed -n 's/^client_id = "\(.*\)"/\1/p' /srv/cloud/config.toml)
url=$(sed -n 's/^graph_url = "\(.*\)"/\1/p' /srv/cloud/config.toml)
check "init writes the configuration" graphrelay init --yes --scenario user --account website \
    --tenant contoso.onmicrosoft.com --client-id "$client" --username wp@contoso.com \
    --cloud custom --login-url "$url" --graph-url "$url" --ca-file /etc/graphrelay/cloud.pem \
    --listener 127.0.0.1:2525
check "the configuration can be used" graphrelay check-config
check "it starts" systemctl start graphrelay
check "before the sign-in the status says what to run" sh_ '! graphrelay status >/tmp/status; grep -q "graphrelay authorize" /tmp/status'
check "a browser authorizes it" authorize
check "the status says Authorized" sh_ 'graphrelay status | grep -q Authorized'

# Send
check "a test message arrives" graphrelay send-test --to alice@contoso.com
systemctl start mariadb
check "WordPress sends with the code of its page" wordpress shop
check "its mail arrives" arrived shop

# Day to day
sed -i 's/^address = "127.0.0.1:2525"/address = "127.0.0.1:2526"/' /etc/graphrelay/config.toml
check "a reload takes a changed file" systemctl reload graphrelay
check "the new listener is there" sh_ 'curl -s --max-time 5 telnet://127.0.0.1:2526 </dev/null | grep -q ^220'
sed -i 's/:2526"/:2525"/' /etc/graphrelay/config.toml
check "a reload takes it back" systemctl reload graphrelay
cp /etc/graphrelay/config.toml /srv/good.toml
sed -i '1i colour = "red"' /etc/graphrelay/config.toml
check "a reload of a bad file fails" sh_ '! systemctl reload graphrelay'
check "the reason is in the journal" sh_ 'journalctl -u graphrelay -o cat | grep -q "graphrelay: /etc/graphrelay/config.toml: line 1: colour: unknown key"'
check "mail goes on after a bad reload" sh_ "$(declare -f send arrived); send meanwhile && arrived meanwhile"
cat /srv/good.toml >/etc/graphrelay/config.toml
check "it upgrades" dpkg -i "$new"
check "after the upgrade it is authorized still" sh_ 'systemctl is-active graphrelay && graphrelay status | grep -q Authorized'

# Backup and restore
faults '{"kind": "answer", "status": 503, "part": "graph"}'
send kept
check "mail waits while Microsoft is away" waits 1
check "a backup is made while it runs" graphrelay backup --with-key /var/backups/graphrelay.tar
check "only root can read it" sh_ '[ "$(stat -c "%a %U" /var/backups/graphrelay.tar)" = "600 root" ]'
check "it leaves nothing of root in the state directory" sh_ '! find /var/lib/graphrelay ! -user graphrelay | grep .'
systemctl stop graphrelay
rm -rf /var/lib/graphrelay
check "the backup is restored on an empty disk" graphrelay restore /var/backups/graphrelay.tar
check "it starts after the restore" systemctl start graphrelay
check "it is authorized after the restore" sh_ 'graphrelay status | grep -q Authorized'
check "what waited is held" sh_ 'graphrelay queue list --state held | grep -q "restored from a backup"'
faults ''
graphrelay queue release --all
check "it arrives once it is released" arrived kept

# And away
check "it is purged" dpkg -P graphrelay
for path in /etc/graphrelay /var/lib/graphrelay /usr/bin/graphrelay; do
    check "the purge leaves no $path" test ! -e $path
done
echo "the end"
