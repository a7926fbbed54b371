#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an app sees of the host's files: what it should, and nothing else. The app is a shell script that looks around.
# shellcheck disable=SC2016 # the app's shell expands what its script says
# shellcheck source=tests/world/lib.sh
. "$(dirname "$0")/lib.sh"

LOG=$WORLD/state/zones/web.blue/log

# app_is USER SCRIPT [LINE...]: configuration and release of an app that runs SCRIPT, says so, and goes on.
app_is() {
    local user=$1 script=$2
    shift 2
    mkdir -p "$WORLD/srv/web/v1/bin" "$WORLD/srv/web/v2/bin"
    printf '#!/bin/sh\n%s\necho "-- end"\nexec sleep 1000\n' "$script" >"$WORLD/srv/web/v1/bin/look"
    chmod 755 "$WORLD/srv/web/v1/bin/look"
    cp -p "$WORLD/srv/web/v1/bin/look" "$WORLD/srv/web/v2/bin/look"
    {
        printf '[app]\nname = web\nuser = %s\nrun = %s\n' "$user" "$WORLD/srv/web/%r/bin/look"
        printf '[health]\ninterval = 50ms\n'
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } | app_conf web
}

# look USER SCRIPT [LINE...]: runs it in a zone; what it said is in SAID.
look() {
    app_is "$@"
    agent_start
    bg deploy web v1 >"$WORLD/deployed" 2>&1 || fail "$(cat "$WORLD/deployed" "$LOG")"
    said
}

said() {
    wait_for 5 grep -q '^-- end' "$LOG"
    SAID=$(cat "$LOG")
}

# A private file system on a directory, for the test.
over() {
    mount -t tmpfs -o mode=755 "${2-over}" "$1"
    OVER="$1 ${OVER-}"
    # shellcheck disable=SC2064 # as it is now
    trap "umount -l $OVER" EXIT
}

in_log() {
    grep -q "$1" "$LOG"
}

test_the_system_is_read_only() {
    look root 'for dir in / /etc /usr /usr/bin /var /var/lib /opt /srv /dev /sys /proc/sys /sys/fs/cgroup; do
            touch $dir/bluegreen-test 2>&1 && rm $dir/bluegreen-test && echo "wrote in $dir"
        done
        mount -o remount,rw / 2>/dev/null && echo "remounted"
        mount -t tmpfs none /mnt 2>/dev/null && echo "mounted"
        awk "{ print \$6 }" /proc/self/mountinfo | grep -c nosuid | sed "s/^/nosuid /"'
    expect_no_match 'wrote|mounted' "$SAID"
    expect_match "touch: cannot touch '/etc/bluegreen-test': Read-only file system" "$SAID"
    # Every mount is without set-user-id; only /dev and what is in it knows devices.
    local pid
    pid=$(status_of .zones.blue.pid)
    expect_eq "" "$(awk '$6 !~ /nosuid/ { print $5, $6 }' "/proc/$pid/mountinfo")" "mounts with set-user-id"
    expect_eq "/dev/full /dev/null /dev/pts /dev/random /dev/tty /dev/urandom /dev/zero" \
        "$(awk '$6 !~ /nodev/ { print $5 }' "/proc/$pid/mountinfo" | sort | xargs)" "mounts with devices"
}

test_tmp_and_run_are_its_own() {
    echo secret >/tmp/bluegreen-host-file
    chmod 777 /tmp/bluegreen-host-file
    look web 'ls -A /tmp /var/tmp /dev/shm | xargs echo tmp
        stat -c "%n %a %U" /tmp /var/tmp /run /dev/shm
        cd /run && find . -path ./world/srv/web/v1 -prune -o -print | xargs echo run
        for dir in /tmp /var/tmp /run /dev/shm; do touch $dir/mine && echo wrote $dir; done
        cp /bin/true /tmp/program && /tmp/program && echo executed'
    expect_match '^tmp /dev/shm: /tmp: /var/tmp:' "$SAID"
    expect_match '/tmp 1777 root./var/tmp 1777 root./run 755 web./dev/shm 1777 root' "${SAID//$'\n'/ }"
    # The release lies below /run here, and nothing beside it.
    expect_match 'run \. ./world ./world/srv ./world/srv/web'$'\n' "$SAID"
    expect_match 'wrote /tmp wrote /var/tmp wrote /run wrote /dev/shm executed' "${SAID//$'\n'/ }"
    expect_eq "" "$(ls -d /tmp/mine /run/mine /dev/shm/mine /var/tmp/mine 2>/dev/null)" "what it wrote to the host's"
    rm /tmp/bluegreen-host-file
}

# A tenth of the memory each: an app that fills one leaves room for the others.
test_what_it_keeps_in_memory_is_bounded() {
    look web 'for dir in /tmp /var/tmp /run /dev/shm; do
            set -- $(df -k --output=size,itotal $dir | tail -1); echo "$dir $1 $2"
        done'
    local dir size inodes most count=0
    most=$(awk '/^MemTotal/ { print int($2 / 10) + 4096 }' /proc/meminfo)
    while read -r dir size inodes; do
        if [ "$size" -le 0 ] || [ "$size" -gt "$most" ]; then fail "$dir may have $size KiB, more than $most"; fi
        if [ "$inodes" -le 0 ] || [ "$inodes" -gt 102400 ]; then fail "$dir may have $inodes files"; fi
        count=$((count + 1))
    done < <(grep '^/' <<<"$SAID")
    expect_eq 4 "$count" "directories"
}

test_homes_are_hidden_but_for_the_release() {
    over /home
    over /root
    mkdir -p /home/web/releases/v1/bin /home/web/.ssh /home/else
    chmod 700 /home/web
    chown -R web: /home/web
    echo secret >/root/key
    chmod 755 /root
    app_is web 'find /home /root | xargs echo seen
        touch /home/web/releases/v1/x 2>/dev/null && echo wrote; touch /home/x 2>/dev/null && echo wrote'
    cp -a "$WORLD/srv/web/v1/bin/look" /home/web/releases/v1/bin/
    sed -i 's|^run = .*|run = /home/web/releases/%r/bin/look|' "$WORLD/etc/apps/web.conf"
    agent_start
    bg deploy web v1
    said
    expect_match 'seen /home /home/web /home/web/releases /home/web/releases/v1 /home/web/releases/v1/bin '\
'/home/web/releases/v1/bin/look /root'$'\n' "$SAID"
    expect_no_match wrote "$SAID"
}

test_files_read_write_state_hide() {
    mkdir -p "$WORLD/data"/{read,write,kept} /var/lib/bluegreen-test.hidden
    trap 'rm -rf /var/lib/bluegreen-test.hidden /var/lib/bluegreen-test.link' EXIT
    chmod 777 "$WORLD/data"/* /var/lib/bluegreen-test.hidden
    echo content >"$WORLD/data/read/file"
    echo secret >/var/lib/bluegreen-test.hidden/file
    look web 'cd '"$WORLD/data"'
        ls | xargs echo seen
        cat read/file; echo x 2>&1 >read/other; cat /run/web/deep/inside
        echo written >write/file; echo kept >/run/state/file; stat -c "state %a %U" /run/state
        cat /var/lib/bluegreen-test.hidden/file 2>&1; ls /var/lib/bluegreen-test.hidden 2>&1' \
        '[files]' "read = $WORLD/data/read | $WORLD/data/read/file -> /run/web/deep/inside" \
        "write = $WORLD/data/write" "state = $WORLD/data/made -> /run/state" 'hide = /var/lib/bluegreen-test.hidden'
    expect_match 'seen read write'$'\n''content'$'\n' "$SAID"
    expect_match 'read/other: Read-only file system.*'$'\n'content$'\n''state 750 web' "$SAID"
    expect_eq written "$(cat "$WORLD/data/write/file")"
    expect_eq kept "$(cat "$WORLD/data/made/file")"
    expect_eq "750 web web" "$(stat -c '%a %U %G' "$WORLD/data/made")"
    expect_no_match secret "$SAID"
    expect_match 'hidden.*Permission denied' "$SAID"
}

test_a_place_for_state_is_made() {
    over /var/lib
    mkdir -p "$WORLD/data/read" /var/lib/else
    ln -s /var/lib/else /var/lib/link
    app_is web 'cat /var/lib/web/* /srv/shown/place/*; echo $BLUEGREEN_ZONE >/var/lib/web/zone
        echo there >/srv/shown/place/x; touch /var/lib/web.new && echo wrote' \
        '[files]' "read = $WORLD/data/read -> /srv/shown" \
        "state = /var/lib/web-%z -> /var/lib/web | $WORLD/data/place -> /srv/shown/place"
    over /srv
    mkdir /srv/shown
    agent_start
    bg deploy web v1
    said
    expect_no_match wrote "$SAID"
    expect_eq blue "$(cat /var/lib/web-blue/zone)"
    expect_eq "755 root root" "$(stat -c '%a %U %G' /var/lib/web)"
    expect_eq "750 web web" "$(stat -c '%a %U %G' /var/lib/web-blue)"
    expect_eq "" "$(find /var/lib/web /srv/shown -mindepth 1)" "what is in the places"
    expect_eq "755 root root place" "$(stat -c '%a %U %G %n' "$WORLD/data/read"/* | sed 's:/.*/::')"
    # A link that somebody puts where one is to be made is not followed.
    rmdir "$WORLD/data/read/place"
    ln -s /var/lib/else "$WORLD/data/read/place"
    expect_status 1 bg deploy web v1
    expect_match 'symbolic link' "$OUTPUT"
    expect_eq "" "$(ls -A /var/lib/else)"
}

test_state_of_each_zone_and_of_both() {
    mkdir -p "$WORLD/data"
    app_is web 'cat /run/own/* /run/both/*; echo $BLUEGREEN_ZONE >/run/own/$BLUEGREEN_ZONE
        echo $BLUEGREEN_ZONE >/run/both/$BLUEGREEN_ZONE' \
        '[files]' "state = $WORLD/data/web-%z -> /run/own | $WORLD/data/web -> /run/both"
    agent_start
    bg deploy web v1
    wait_for 5 in_log '^-- end'
    bg deploy web v2
    LOG=$WORLD/state/zones/web.green/log said
    expect_eq "blue" "$(cat "$WORLD/data/web-blue"/*)"
    expect_eq "green" "$(cat "$WORLD/data/web-green"/*)"
    expect_eq "blue green" "$(cat "$WORLD/data/web"/* | xargs)"
    expect_eq "blue" "$(grep -x blue "$WORLD/state/zones/web.green/log")" "what green saw of blue"
}

# The configuration is refused. What has become a link since it was read, by the hand of the app, is not followed.
test_links_are_not_followed() {
    mkdir -p "$WORLD/data/real" "$WORLD/data/write/sub/keys"
    chown -R web: "$WORLD/data/write"
    ln -s /etc "$WORLD/data/link"
    app_is web : '[files]' "read = $WORLD/data/link/ssl -> /run/x"
    agent_start
    expect_status 2 bg deploy web v1
    expect_match "\[files\] read: $WORLD/data/link/ssl goes through a symbolic link.*link, made by uid 0; name the place" "$OUTPUT"
    app_is web "cd $WORLD/data/write && mv sub old && ln -s /etc sub && echo linked" \
        '[files]' "write = $WORLD/data/write" "read = $WORLD/data/real -> $WORLD/data/write/sub/keys"
    bg reload
    bg deploy web v1
    wait_for 5 in_log '^linked' || fail "$(cat "$LOG")"
    kill -KILL "$(status_of .zones.blue.pid)"
    wait_for 5 in_log "lay out the app's files: .*: ELOOP"
    expect_eq 1 "$(grep -c '^-- end' "$LOG")" "runs of the app"
}

test_a_source_that_became_a_link() {
    mkdir -p "$WORLD/data/write/sub"
    chown -R web: "$WORLD/data/write"
    app_is web "cd $WORLD/data/write && rmdir sub && ln -s /etc sub && echo linked" \
        '[files]' "write = $WORLD/data/write" "read = $WORLD/data/write/sub -> /run/sub"
    agent_start
    bg deploy web v1
    wait_for 5 in_log '^linked' || fail "$(cat "$LOG")"
    kill -KILL "$(status_of .zones.blue.pid)"
    wait_for 5 in_log "open what is to be shown to the app: .*: ELOOP"
}

test_what_cannot_be_shown_says_why() {
    mkdir -p "$WORLD/data/dir"
    app_is web : '[files]' "read = $WORLD/data/none"
    agent_start
    expect_status 2 bg deploy web v1
    expect_match "$WORLD/data/none" "$OUTPUT"
    app_is web : '[files]' "read = $WORLD/data/dir -> /etc/passwd"
    expect_status 2 bg reload
    expect_match "/etc/passwd is a directory and the other is not" "$OUTPUT"
    app_is web : '[sandbox]' 'devices = /dev/bluegreen-none'
    expect_status 2 bg reload
    expect_match "/dev/bluegreen-none" "$OUTPUT"
    app_is web : '[files]' "write = $WORLD/etc"
    bg reload
    expect_status 1 bg deploy web v1
    expect_match "\[files\] write: $WORLD/etc belongs to bluegreend" "$OUTPUT"
    wait_for 5 test ! -e /run/netns/bg-web-blue
    expect_eq "" "$(grep -l bluegreen-zone /proc/[0-9]*/comm 2>/dev/null)" "shims that were left"
}

test_devices() {
    [ -c /dev/fuse ] || skip "no /dev/fuse here"
    mkdir -p "$WORLD/data"
    over "$WORLD/data"
    mknod -m 666 "$WORLD/data/null" c 1 3
    echo x >"$WORLD/data/null" || skip "device nodes do not work here"
    look root 'ls /dev | xargs echo dev
        for node in null zero full random urandom tty; do [ -c /dev/$node ] && echo have $node; done
        head -c 4 /dev/urandom | wc -c; exec 3<>/dev/ptmx && echo pty && ls /dev/pts | xargs
        exec 4<>/dev/fuse && echo fuse
        echo x >'"$WORLD/data/null"' && echo "used a node"
        mknod /tmp/null c 1 3 2>/dev/null && echo "made a node"
        echo x >/dev/fd/1; touch /dev/mqueue/q && echo queue' \
        '[files]' "write = $WORLD/data" '[sandbox]' 'devices = /dev/fuse'
    expect_match 'dev fd full fuse mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero' "$SAID"
    expect_match 'have null have zero have full have random have urandom have tty 4 pty 0 ptmx fuse' "${SAID//$'\n'/ }"
    expect_no_match 'a node' "$SAID"
    expect_match $'\nx\nqueue' "$SAID"
}

test_kernel_files_are_masked() {
    look root 'for file in kcore kallsyms keys timer_list kmsg slabinfo sysrq-trigger; do
            [ ! -e /proc/$file ] || head -c 1 /proc/$file >/dev/null 2>&1 && [ -e /proc/$file ] && echo "read $file"
        done
        ls /sys/firmware /sys/kernel/debug /sys/kernel/security >/dev/null 2>&1 && echo "read sys"
        echo 1 2>/dev/null >/proc/sys/vm/drop_caches && echo "wrote sysctl"
        echo b 2>/dev/null >/proc/sysrq-trigger && echo "wrote sysrq"
        ls /sys/class/net | xargs echo links
        cat /proc/meminfo >/dev/null && cat /proc/self/status >/dev/null && echo usable
        cat /proc/self/cgroup; ls -d /proc/[0-9]* | wc -l; echo oom $(cat /proc/self/oom_score_adj)'
    expect_no_match 'read|wrote' "$SAID"
    expect_match 'links eth0 lo|links lo eth0|links lo' "$SAID"
    expect_match 'usable' "$SAID"
    expect_match '0::/'$'\n' "$SAID"
    expect_no_match '0::/[a-z.]' "$SAID"
}

test_root_does_not_see_secrets() {
    look root 'id -u; for file in /etc/shadow /etc/gshadow '"$WORLD/etc/apps/web.conf $WORLD/state/journal"'; do
            cat $file >/dev/null 2>&1 && echo "read $file"
        done
        ls /etc/ssl/private >/dev/null 2>&1 && echo "read keys"
        grep ^Cap /proc/self/status | tr -d "\t" | sort -u | xargs; grep NoNewPrivs /proc/self/status
        ls /proc/self/fd | xargs echo fds; ls -l /proc/1/root 2>/dev/null && echo "saw the root of PID 1"
        cat /etc/passwd >/dev/null && echo fine' '[sandbox]' 'run = visible'
    expect_match '^0' "$SAID"
    expect_no_match 'read|saw' "$SAID"
    expect_match 'CapAmb:0+ CapBnd:0+ CapEff:0+ CapInh:0+ CapPrm:0+' "$SAID"
    expect_match 'NoNewPrivs:.1' "$SAID"
    # The fourth is that of ls, for the directory.
    expect_match 'fds 0 1 2 3'$'\n' "$SAID"
    expect_match fine "$SAID"
}

test_each_loosening_does_what_it_says() {
    over /home
    mkdir -p /home/else "$WORLD/open"
    touch /run/bluegreen-host-file
    chmod 777 "$WORLD/open"
    look root 'ls -d /home/else; ls -d /run/bluegreen-host-file
        touch '"$WORLD/open/x"' && echo wrote; cat /proc/timer_list 2>&1 | head -c 5 | wc -c
        ls '"$WORLD/state"' >/dev/null 2>&1 && echo "saw the agent"
        touch /run/user 2>&1 | head -1; rm -f /run/bluegreen-host-file && echo removed' \
        '[sandbox]' 'system = writable' 'home = visible' 'run = visible' 'kernel = visible'
    expect_match '/home/else' "$SAID"
    expect_match '/run/bluegreen-host-file' "$SAID"
    expect_match 'wrote' "$SAID"
    expect_match removed "$SAID"
    expect_no_match 'saw the agent' "$SAID"
    [ -e "$WORLD/open/x" ] || fail "the file is not there"
}

# Whatever the host does while the app runs.
test_mounts_of_the_host_that_come_and_go() {
    mount --make-rshared /
    mkdir -p /tmp/bluegreen-later
    over /mnt disk
    trap 'umount -l /mnt 2>/dev/null || :; mount --make-rprivate /' EXIT
    look web 'while sleep 0.05; do
            grep -c " - tmpfs disk " /proc/self/mountinfo | sed "s/^/disks /"
            ls -d /tmp/* /run/world/* 2>/dev/null | xargs echo seen
        done & :'
    wait_for 5 in_log '^disks 1'
    mount -t tmpfs later /tmp/bluegreen-later
    mkdir /run/bluegreen-later
    mount -t tmpfs later /run/bluegreen-later
    touch /tmp/bluegreen-later/x
    sleep 0.3
    expect_eq "seen /run/world/srv" "$(grep '^seen' "$LOG" | sort -u)" "what it saw of the host's /tmp and /run"
    # The device must be free again when the host has unmounted it.
    umount /mnt || fail "the host cannot unmount"
    umount /tmp/bluegreen-later /run/bluegreen-later
    sleep 0.3
    expect_eq 0 "$(grep '^disks' "$LOG" | tail -n 1 | cut -d' ' -f2)" "copies of the mount that are left in the app"
}

test_processes_of_an_app_share_what_they_see() {
    mkdir -p "$WORLD/srv/web/v1/bin"
    printf '#!/bin/sh\n%s\n' 'while ! [ -e /tmp/main ]; do sleep 0.05; done' 'ls /tmp /run/main /dev/shm' \
        'echo worker done' 'exec sleep 1000' >"$WORLD/srv/web/v1/bin/work"
    chmod 755 "$WORLD/srv/web/v1/bin/work"
    look web 'touch /run/main /dev/shm/main /tmp/main' '[process worker]' "run = $WORLD/srv/web/%r/bin/work"
    wait_for 5 in_log 'worker done'
    expect_match 'main.*main.*main' "$(tr '\n' ' ' <"$LOG")"
}

# A check asks for what the app made.
test_checks_and_commands_see_it_too() {
    look web 'touch /tmp/main /run/ready' 'exec = /usr/bin/test -e /run/ready'
    expect_eq live "$(status_of .zones.blue.state)"
    expect_status 0 bg exec web blue -- /bin/ls /tmp
    expect_eq main "$OUTPUT"
}

test_a_new_run_begins_with_an_empty_tmp() {
    look web 'ls /tmp | xargs echo had; touch /tmp/left'
    background bg exec web blue -- /bin/sleep 100
    sleep 0.3
    kill -KILL "$(status_of .zones.blue.pid)"
    wait_for 5 twice
    expect_no_match 'had left' "$(cat "$LOG")"
}

twice() {
    [ "$(grep -c '^-- end' "$LOG")" = 2 ]
}

run_tests
