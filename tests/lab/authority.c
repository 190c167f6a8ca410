// NSD and Knot DNS in nodes: see service.h.
#include "tests/lab/service.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS 10000

static FILE *begin_file(const struct lab_node *node, const char *file)
{
    char path[LAB_PATH_MAX];
    FILE *out = fopen(lab_path(node, file, path), "we");

    if (out == NULL) {
        lab_fail("write %s: %s", path, strerror(errno));
    }
    return out;
}

static void end_file(FILE *out, const char *file)
{
    if (fclose(out) != 0) {
        lab_fail("write %s: %s", file, strerror(errno));
    }
}

static void write_zone(const struct lab_node *node, const struct lab_authority *authority)
{
    FILE *out = begin_file(node, "zone");

    if (authority->file != NULL) {
        fputs(authority->file, out);
        end_file(out, "zone");
        return;
    }
    fprintf(out,
            "$ORIGIN %s.\n$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n"
            "ns A 192.0.2.53\n%s\n",
            authority->zone, authority->records);
    end_file(out, "zone");
}

static unsigned port_of(const struct lab_authority *authority)
{
    return authority->port != 0 ? authority->port : 53U;
}

static void each_address(FILE *out, const struct lab_authority *authority, const char *format)
{
    char copy[512], *rest = copy, *address;

    snprintf(copy, sizeof copy, "%s", authority->listen);
    while ((address = strsep(&rest, " ")) != NULL) {
        fprintf(out, format, address, port_of(authority));
    }
}

static void write_nsd_conf(const struct lab_node *node, const struct lab_authority *authority)
{
    FILE *out = begin_file(node, "nsd.conf");

    fprintf(out,
            "server:\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"%s\"\n  pidfile: \"\"\n"
            "  zonelistfile: \"%s/nsd.zones\"\n  xfrdfile: \"%s/nsd.xfrd\"\n  xfrdir: \"%s\"\n"
            "  database: \"\"\n  identity: \"%s\"\n  server-count: %u\n  reuseport: yes\n"
            "  verbosity: 1\n  rrl-ratelimit: 0\n  minimal-responses: yes\n",
            lab_dir(node), lab_dir(node), lab_dir(node), lab_dir(node), lab_name(node),
            authority->workers != 0 ? authority->workers : 1U);
    if (authority->nsid != NULL) {
        fprintf(out, "  nsid: \"ascii_%s\"\n", authority->nsid);
    }
    each_address(out, authority, "  ip-address: %s@%u\n");
    fprintf(out, "remote-control:\n  control-enable: no\nzone:\n  name: %s\n  zonefile: zone\n",
            authority->zone);
    end_file(out, "nsd.conf");
}

static void write_knot_conf(const struct lab_node *node, const struct lab_authority *authority)
{
    FILE *out = begin_file(node, "knot.conf");

    fprintf(out,
            "server:\n  rundir: \"%s/run\"\n  identity: \"%s\"\n  udp-workers: %u\n"
            "  tcp-workers: 1\n  tcp-reuseport: off\n",
            lab_dir(node), lab_name(node), authority->workers != 0 ? authority->workers : 1U);
    if (authority->nsid != NULL) {
        fprintf(out, "  nsid: \"%s\"\n", authority->nsid);
    }
    each_address(out, authority, "  listen: %s@%u\n");
    fprintf(out,
            "log:\n  - target: stderr\n    any: info\n"
            "database:\n  storage: \"%s/state\"\n"
            "zone:\n  - domain: %s\n    storage: \"%s\"\n    file: zone\n    zonefile-sync: -1\n",
            lab_dir(node), authority->zone, lab_dir(node));
    end_file(out, "knot.conf");
}

static void wait_till_it_serves(struct lab_process *process)
{
    LAB_WAIT(lab_log_contains(process, "nsd started") ||
                 lab_log_contains(process, "server started") || !lab_running(process),
             "the authoritative server to serve", START_MS);
    if (!lab_running(process)) {
        lab_fail("start an authoritative server: it ended with status %d, see its log",
                 lab_wait_exit(process, 0));
    }
}

static struct lab_process *start(struct lab_node *node, const struct lab_command *command)
{
    struct lab_process *process = lab_spawn(node, command);

    wait_till_it_serves(process);
    return process;
}

struct lab_process *lab_nsd_start(struct lab_node *node, const struct lab_authority *authority)
{
    char path[LAB_PATH_MAX];

    write_zone(node, authority);
    write_nsd_conf(node, authority);
    return start(node, &(struct lab_command){
                           .name = "nsd",
                           .argv = LAB_ARGV("nsd", "-d", "-c", lab_path(node, "nsd.conf", path))});
}

struct lab_process *lab_knot_start(struct lab_node *node, const struct lab_authority *authority)
{
    char path[LAB_PATH_MAX];

    write_zone(node, authority);
    write_knot_conf(node, authority);
    return start(node, &(struct lab_command){
                           .name = "knotd",
                           .argv = LAB_ARGV("knotd", "-c", lab_path(node, "knot.conf", path))});
}

// ---- Ends

static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    int parent = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *in = fopen(path, "re");
    if (in == NULL) {
        return 0;
    }
    const char *after = fgets(text, sizeof text, in) != NULL ? strrchr(text, ')') : NULL;
    if (after != NULL) {
        parent = (int)strtol(after + strlen(") S "), NULL, 10);
    }
    fclose(in);
    return parent;
}

size_t lab_family(const struct lab_process *process, pid_t out[LAB_FAMILY_MAX])
{
    size_t count = 0;

    out[count++] = lab_pid(process);
    for (size_t i = 0; i < count; i++) {
        DIR *processes = opendir("/proc");
        if (processes == NULL) {
            lab_fail("read /proc: %s", strerror(errno));
        }
        for (const struct dirent *entry; (entry = readdir(processes)) != NULL;) {
            pid_t candidate = (pid_t)strtol(entry->d_name, NULL, 10);
            if (candidate > 0 && count < LAB_FAMILY_MAX && parent_of(candidate) == out[i]) {
                out[count++] = candidate;
            }
        }
        closedir(processes);
    }
    return count;
}

void lab_kill_group(struct lab_process *process)
{
    pid_t family[LAB_FAMILY_MAX];
    size_t count = lab_family(process, family);

    for (size_t i = 0; i < count; i++) {
        kill(family[i], SIGKILL);
    }
    for (size_t i = 1; i < count; i++) {
        LAB_WAIT(kill(family[i], 0) != 0, "a killed server's process to go", START_MS);
    }
    lab_kill(process);
}

void lab_signal_group(struct lab_process *process, int signal)
{
    pid_t family[LAB_FAMILY_MAX];
    size_t count = lab_family(process, family);

    for (size_t i = 0; i < count; i++) {
        kill(family[i], signal);
    }
}

void lab_authority_restart(struct lab_process *process)
{
    if (lab_running(process)) {
        lab_kill_group(process);
    }
    lab_respawn(process);
    wait_till_it_serves(process);
}
