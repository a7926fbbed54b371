/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * escape [OPTION...] [NAME...]: tries to get out of a zone, in every way below or in those named, and prints
 *
 *   NAME blocked DETAIL     it could not
 *   NAME ESCAPED DETAIL     it could
 *   NAME works DETAIL       what any server may do, and can here
 *   NAME BROKEN DETAIL      it cannot
 *   end COUNT               all were tried
 *
 * Each runs in a process of its own: one that the kernel kills for it is blocked. Nothing here harms a machine even
 * where it works, so that a run outside of any zone can show that the attempts would have succeeded.
 *
 *   --init PID                whom to look into, PID 1 without
 *   --victims TERM,STOP,KILL  whom to send these signals to, PID 1 without
 *   --marker WORD             is in the command line of a process of the host, and the name of its files in /tmp and
 *                             /dev/shm and of its abstract socket
 *   --other4 ADDRESS --other6 ADDRESS --other-port PORT   another zone
 *   --host-port PORT          a service on the host's loopback
 *   --agent-socket PATH --host-socket PATH --state DIR --config DIR --release DIR
 *   --host-key NUMBER         of System V shared memory of the host
 *   --setuid PATH --filecap PATH   copies of this program with rights of their own
 *   --hold                    waits for a signal at the end, as a server would
 *   --list                    prints the names only
 */
#include "escape.h"
#include "escape_files.h"
#include "escape_kernel.h"
#include "escape_network.h"
#include "escape_process.h"
#include "escape_works.h"

#include <getopt.h>
#include <signal.h>
#include <sys/wait.h>

enum { PATIENCE_S = 10 };

struct attempt {
    const char *name;
    bool (*run)(void);
    bool works; /* run says whether it works, not whether it escaped */
};

/* The signals come last: a zone that ends of them takes us with it. */
static const struct attempt attempts[] = {
    {"host-processes", try_host_processes},
    {"ptrace-init", try_ptrace},
    {"read-memory-of-init", try_read_memory},
    {"write-memory-of-init", try_write_memory},
    {"take-descriptor-of-init", try_pidfd_getfd},
    {"root-of-init", try_init_root},
    {"cwd-of-init", try_init_cwd},
    {"environment-of-init", try_init_environment},
    {"descriptors-of-init", try_init_descriptors},
    {"memory-file-of-init", try_init_memory_file},
    {"program-of-init", try_init_program},
    {"oom-score-of-init", try_init_oom_score},
    {"setns-mount", try_setns_mount},
    {"setns-network", try_setns_network},
    {"setns-pid", try_setns_pid},
    {"setns-pidfd", try_setns_pidfd},
    {"host-shared-memory", try_host_shared_memory},
    {"host-ipc", try_host_ipc},
    {"host-tmp", try_host_tmp},
    {"host-var-tmp", try_host_var_tmp},

    {"leaked-descriptors", try_leaked_descriptors},
    {"own-capabilities", try_own_capabilities},
    {"own-new-privileges", try_own_new_privileges},
    {"own-filter", try_own_filter},
    {"raise-capabilities", try_raise_capabilities},
    {"other-user", try_other_user},
    {"other-group", try_other_group},
    {"drop-groups", try_drop_groups},
    {"set-user-id-program", try_set_user_id},
    {"file-capability", try_file_capability},
    {"nice", try_nice},
    {"real-time", try_real_time},
    {"io-priority", try_io_priority},
    {"oom-score", try_oom_score},
    {"raise-limit", try_raise_limit},

    {"mount", try_mount},
    {"bind", try_bind},
    {"umount", try_umount},
    {"remount", try_remount},
    {"mount-setattr", try_mount_setattr},
    {"open-tree", try_open_tree},
    {"fsopen", try_fsopen},
    {"pivot-root", try_pivot_root},
    {"chroot", try_chroot},
    {"unshare-user", try_unshare_user},
    {"unshare-mount", try_unshare_mount},
    {"unshare-network", try_unshare_network},
    {"unshare-pid", try_unshare_pid},
    {"clone-user", try_clone_user},
    {"clone3-user", try_clone3_user},

    {"add-key", try_add_key},
    {"keyctl", try_keyctl},
    {"request-key", try_request_key},
    {"io-uring", try_io_uring},
    {"bpf", try_bpf},
    {"perf-event", try_perf_event},
    {"userfaultfd", try_userfaultfd},
    {"fanotify", try_fanotify},
    {"kernel-log", try_kernel_log},
    {"file-handle", try_file_handle},
    {"personality", try_personality},
    {"terminal-input", try_terminal_input},
    {"terminal-input-high-bits", try_terminal_input_high_bits},
#ifdef __x86_64__
    {"foreign-calls", try_foreign_calls},
    {"x32-calls", try_x32_calls},
    {"ports", try_ports},
#endif
    {"init-module", try_init_module},
    {"finit-module", try_finit_module},
    {"delete-module", try_delete_module},
    {"set-time", try_set_time},
    {"adjust-time", try_adjust_time},
    {"reboot", try_reboot},
    {"kexec", try_kexec},
    {"swap", try_swap},
    {"accounting", try_accounting},
    {"quota", try_quota},
    {"host-name", try_host_name},
    {"hang-up", try_hang_up},
    {"character-device", try_character_device},
    {"block-device", try_block_device},

    {"sys-write", try_sys_write},
    {"core-pattern", try_core_pattern},
    {"sysctl-network", try_sysctl_network},
    {"sysrq", try_sysrq},
    {"kcore", try_kcore},
    {"kernel-addresses", try_kernel_addresses},
    {"keys", try_keys},
    {"key-users", try_key_users},
    {"timer-list", try_timer_list},
    {"kmsg-file", try_kmsg_file},
    {"page-flags", try_page_flags},
    {"interrupt-affinity", try_interrupt_affinity},
    {"firmware", try_firmware},
    {"power", try_power},

    {"write-etc", try_write_etc},
    {"write-usr", try_write_usr},
    {"write-var", try_write_var},
    {"write-root", try_write_root},
    {"write-release", try_write_release},
    {"shadow", try_shadow},
    {"home", try_home},
    {"home-of-root", try_root_home},
    {"state-of-agent", try_state},
    {"configuration-of-agent", try_configuration},
    {"climb", try_climb},
    {"disk", try_disk},
    {"loop-device", try_loop_device},
    {"memory-device", try_memory_device},
    {"kernel-log-device", try_kernel_log_device},
    {"tunnel-device", try_tunnel_device},
    {"console", try_console},
    {"cgroup-processes", try_cgroup_processes},
    {"cgroup-freeze", try_cgroup_freeze},
    {"cgroup-kill", try_cgroup_kill},
    {"cgroup-controllers", try_cgroup_controllers},
    {"cgroup-limit", try_cgroup_limit},
    {"cgroup-make", try_cgroup_make},

    {"other-zone-ipv4", try_other_zone4},
    {"other-zone-ipv6", try_other_zone6},
    {"host-loopback-ipv4", try_host_loopback4},
    {"host-loopback-ipv6", try_host_loopback6},
    {"agent-socket", try_agent_socket},
    {"host-socket", try_host_socket},
    {"abstract-socket", try_abstract_socket},
    {"host-links", try_host_links},
    {"algorithm-socket", try_algorithm_socket},
    {"machine-socket", try_machine_socket},
    {"packet-socket", try_packet_socket},
    {"raw-socket", try_raw_socket},
    {"raw-socket-ipv6", try_raw_socket6},
    {"forced-buffer", try_forced_buffer},
    {"transparent-socket", try_transparent_socket},
    {"add-address", try_add_address},
    {"add-route", try_add_route},
    {"change-link", try_change_link},
    {"firewall", try_firewall},

    {"works-memory-program", works_memory_program, true},
    {"works-just-in-time", works_just_in_time, true},
    {"works-thread", works_thread, true},
    {"works-waiting", works_waiting, true},
    {"works-tmp", works_tmp, true},
    {"works-run", works_run, true},
    {"works-shared-memory", works_shared_memory, true},
    {"works-terminal", works_terminal, true},
    {"works-devices", works_devices, true},
    {"works-low-port", works_low_port, true},
    {"works-own-process", works_own_process, true},
    {"works-signal-child", works_signal_child, true},

    {"signal-term", try_signal_term},
    {"signal-stop", try_signal_stop},
    {"signal-kill", try_signal_kill},
};

static void run(const struct attempt *attempt)
{
    static const char *const words[2][2] = {{"blocked", "ESCAPED"}, {"BROKEN", "works"}};
    struct {
        bool done;
        char detail[sizeof detail];
    } result = {false, "no result"};
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        exit(3);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        /* Number 3, where leaked-descriptors expects it. */
        int out = ends[1] == 3 ? 3 : dup3(ends[1], 3, O_CLOEXEC);
        if (ends[0] != 3)
            close(ends[0]);
        if (ends[1] != 3)
            close(ends[1]);
        alarm(PATIENCE_S);
        result.done = attempt->run();
        memcpy(result.detail, detail, sizeof detail);
        _exit(write(out, &result, sizeof result) == sizeof result ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got = child < 0 ? -1 : read(ends[0], &result, sizeof result);
    close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (got != (ssize_t)sizeof result && WIFSIGNALED(status))
        snprintf(result.detail, sizeof result.detail, "signal %s", sigabbrev_np(WTERMSIG(status)));
    /* Only the filter may end one: whatever else did is a way out that worked, or a mistake of ours. */
    if (got != (ssize_t)sizeof result && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS))
        result.done = !attempt->works;
    printf("%s %s %s\n", attempt->name, words[attempt->works][result.done], result.detail);
}

static bool wanted(const char *name, char *const names[], int count)
{
    bool found = count == 0;
    for (int i = 0; i < count && !found; i++)
        found = strcmp(names[i], name) == 0;
    return found;
}

static uint16_t port_of(const char *text)
{
    return (uint16_t)strtoul(text, NULL, 10);
}

static bool take_option(int option, char *value)
{
    switch (option) {
    case 'i': aim.init = atoi(value); break;
    case 'v':
        if (sscanf(value, "%d,%d,%d", &aim.victims[0], &aim.victims[1], &aim.victims[2]) != VICTIMS)
            return false;
        break;
    case 'm': aim.marker = value; break;
    case '4': aim.other4 = value; break;
    case '6': aim.other6 = value; break;
    case 'o': aim.other_port = port_of(value); break;
    case 'p': aim.host_port = port_of(value); break;
    case 'k': aim.host_key = (int)strtol(value, NULL, 0); break;
    case 'a': aim.agent_socket = value; break;
    case 'h': aim.host_socket = value; break;
    case 's': aim.state = value; break;
    case 'c': aim.config = value; break;
    case 'r': aim.release = value; break;
    case 'u': aim.setuid = value; break;
    case 'f': aim.filecap = value; break;
    default: return false;
    }
    return true;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {{"init", 1, NULL, 'i'},
                                            {"victims", 1, NULL, 'v'},
                                            {"marker", 1, NULL, 'm'},
                                            {"other4", 1, NULL, '4'},
                                            {"other6", 1, NULL, '6'},
                                            {"other-port", 1, NULL, 'o'},
                                            {"host-port", 1, NULL, 'p'},
                                            {"agent-socket", 1, NULL, 'a'},
                                            {"host-socket", 1, NULL, 'h'},
                                            {"state", 1, NULL, 's'},
                                            {"config", 1, NULL, 'c'},
                                            {"release", 1, NULL, 'r'},
                                            {"setuid", 1, NULL, 'u'},
                                            {"filecap", 1, NULL, 'f'},
                                            {"host-key", 1, NULL, 'k'},
                                            {"hold", 0, NULL, 'H'},
                                            {"print-rights", 0, NULL, 'P'},
                                            {"list", 0, NULL, 'L'},
                                            {0}};
    const size_t count = sizeof attempts / sizeof *attempts;
    size_t tried = 0;
    bool hold = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'P') {
            print_rights();
            return 0;
        }
        if (option == 'L') {
            for (size_t i = 0; i < count; i++)
                puts(attempts[i].name);
            return 0;
        }
        hold = hold || option == 'H';
        if (option != 'H' && !take_option(option, optarg)) {
            fprintf(stderr, "escape: wrong arguments; the source says which there are\n");
            return 2;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (wanted(attempts[i].name, argv + optind, argc - optind)) {
            run(&attempts[i]);
            tried++;
        }
    }
    printf("end %zu\n", tried);
    fflush(stdout);
    while (hold)
        pause();
    return 0;
}
