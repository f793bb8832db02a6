# What stands before each script that a test types in a machine.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8
cd /trial

check() { # SENTENCE COMMAND...
    local sentence=$1 said
    shift
    if said=$("$@" 2>&1); then echo "ok $sentence"; else echo "not ok $sentence"; echo "$said" | sed 's/^/    /'; fi
}
sh_() { bash -ec "$1"; }
active() { systemctl is-active --quiet graphrelay; }
waiting() { [ "$(graphrelay queue list --json | wc -l)" = "$1" ]; }
arrived() { # SUBJECT: within half a minute
    for _ in $(seq 60); do
        if curl -s http://127.0.0.1:8025/api/messages | grep -q "\"subject\": *\"$1\""; then return; fi
        sleep 0.5
    done
    curl -s http://127.0.0.1:8025/api/messages
    graphrelay queue list
    return 1
}
send() { printf 'From: wp@contoso.com\nTo: a@b.example\nSubject: %s\n\nHello\n' "$1" |
    curl -sS smtp://127.0.0.1:2525 --mail-from wp@contoso.com --mail-rcpt a@b.example --upload-file -; }
cloud() { # OPTIONS of graphrelay sandbox
    mkdir -p /srv/cloud
    systemd-run --quiet --unit=cloud /usr/bin/graphrelay sandbox --directory /srv/cloud "$@"
    for _ in $(seq 60); do
        if [ -e /srv/cloud/config.toml ] && curl -s http://127.0.0.1:8025/ >/dev/null; then break; fi
        sleep 0.5
    done
    chmod -R a+rX /srv/cloud
}
new=$(ls graphrelay_*+test_*.deb) old=$(ls graphrelay_*.deb | grep -v +test)
