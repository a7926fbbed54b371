# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes the guest of boot-container and boot-vm out of a writable layer over the machine's own root: the same programs,
# but nothing that the machine's administrator enabled, mounted or configured, and one service that runs a command.
# POSIX sh, for busybox runs it in the VM's initial RAM disk.

# Services of a whole machine that tell a test nothing and cost an emulated CPU seconds.
MASKED="ldconfig.service systemd-firstboot.service systemd-journal-flush.service systemd-pstore.service
    systemd-random-seed.service systemd-sysusers.service systemd-update-utmp.service
    systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket
    modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service modprobe@efi_pstore.service
    modprobe@fuse.service modprobe@loop.service
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount tmp.mount timers.target"

# What the machine's administrator set up; an installed bluegreen, too.
forget_the_machine() {
    # Never on the machine itself.
    : "${1:?the root of the guest}"
    rm -rf "$1"/etc/systemd/system/*.wants "$1"/etc/systemd/system/*.requires
    # Consoles, logins: what of it a test needs after all is started when it is asked for.
    rm -rf "$1/usr/lib/systemd/system/multi-user.target.wants"
    rm -rf "$1"/etc/bluegreen "$1"/var/lib/bluegreen "$1"/etc/systemd/system/bluegreen* \
        "$1"/usr/local/lib/systemd/system/bluegreen* "$1"/etc/tmpfiles.d/bluegreen* "$1"/etc/sysusers.d/bluegreen*
    # By this mark systemd would take a virtual machine for a container of Docker.
    rm -f "$1/.dockerenv"
    : >"$1/etc/fstab"
    echo bluegreen-guest >"$1/etc/hostname"
    echo 0123456789abcdef0123456789abcdef >"$1/etc/machine-id"
    # Of Debian's own: it would empty /tmp, where the clone or what was built may be.
    mkdir -p "$1/etc/tmpfiles.d" "$1/etc/systemd/journald.conf.d"
    ln -sf /dev/null "$1/etc/tmpfiles.d/tmp.conf"
    printf '[Journal]\nStorage=volatile\nForwardToSyslog=no\n' >"$1/etc/systemd/journald.conf.d/guest.conf"
}

# guest_prepare ROOT JOB
guest_prepare() {
    forget_the_machine "$1"
    units=$1/etc/systemd/system
    for unit in $MASKED; do
        ln -sf /dev/null "$units/$unit"
    done
    # After everything that is enabled: a unit which a test enables comes up by itself at the next boot.
    cat >"$units/guest.target" <<UNIT
[Unit]
Requires=multi-user.target
Wants=guest-command.service
AllowIsolate=yes
UNIT
    # Ending the command ends the guest, unless it asked for another boot: the shutdown ends it then.
    cat >"$units/guest-command.service" <<UNIT
[Unit]
After=multi-user.target dbus.socket
SuccessAction=exit-force
[Service]
Type=oneshot
TimeoutStartSec=infinity
ExecStart=/bin/sh -c '$2/run >>$2/output 2>&1 </dev/null; status=\$\$?; \\
    [ ! -e $2/again ] || sleep infinity; echo \$\$status >$2/status'
UNIT
}
