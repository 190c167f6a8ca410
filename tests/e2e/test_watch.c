// The kernel tells of a crash: a service's end reaches the upstream without any poll, and nothing
// that is no end does. The probes here are hours apart once they are settled, and would never
// settle down by `fall`: what is withdrawn was withdrawn because of the crash watch.
#include "tests/lab/pop.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NEVER_POLLED                                                                               \
    "interval = 1h\nfast_interval = 50ms\njitter = 1ms\ntimeout = 2s\nrise = 2\nfall = 1000\n"
#define POLLED "interval = 100ms\nfast_interval = 50ms\ntimeout = 1s\nrise = 2\nfall = 3\n"
#define SERVICE(probes)                                                                            \
    "[service dns]\nprefixes = " POP_V4 " " POP_V6 "\nrequire = " probes                           \
    "\nlast_pop_guard = off\n" POP_TIMING
#define DNS(name, target, more)                                                                    \
    "[probe " name "]\ntype = dns\ntarget = " target                                               \
    "\nqname = id.server\nclass = CH\nqtype = TXT\n" more

static const struct lab_authority authority = {
    .listen = "192.0.2.53 2001:db8::53",
    .zone = "example.net",
    .records = "www A 192.0.2.80",
    .workers = 2,
};

static void announced_and_watched(struct pop *pop, const char *sections, const char *path,
                                  const char *watch)
{
    pop_run(pop, sections);
    POP_WAIT_ANNOUNCED(pop);
    LAB_WAIT(pop_says(pop, path, watch), watch, POP_WAIT_MS);
}

static void withdrawn_because_refused(struct pop *pop, const char *verdict_path)
{
    char path[128];

    POP_WAIT_WITHDRAWN(pop);
    snprintf(path, sizeof path, "%s code", verdict_path);
    LAB_WAIT(pop_says(pop, path, "refused"), "the verdict to be a refusal", POP_WAIT_MS);
}

// ---- DNS servers

static const char over_udp[] = DNS("dns4", "192.0.2.53:53", NEVER_POLLED)
    DNS("dns6", "[2001:db8::53]:53", NEVER_POLLED) SERVICE("dns4 dns6");

LAB_TEST(a_killed_unbound_is_withdrawn_at_once)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    announced_and_watched(&pop, over_udp, "probes dns4 watch", "kernel notifications");
    size_t mark = pop_mark(&pop);
    lab_kill(pop.unbound);
    withdrawn_because_refused(&pop, "probes dns4 verdict");
    POP_HISTORY(&pop, mark, "W");
}

LAB_TEST(a_killed_unbound_behind_tcp_is_withdrawn_at_once)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    announced_and_watched(
        &pop, DNS("dns4", "192.0.2.53:53", "protocol = tcp\n" NEVER_POLLED) SERVICE("dns4"),
        "probes dns4 watch", "tcp connection held");
    lab_kill(pop.unbound);
    withdrawn_because_refused(&pop, "probes dns4 verdict");
    POP_COMMAND(&pop, 0, "probes");
    assert_non_null(strstr(pop_output, "dns4"));
}

static void a_killed_authority_is_withdrawn_at_once(struct pop *pop, struct lab_process *server)
{
    announced_and_watched(pop, over_udp, "probes dns6 watch", "kernel notifications");
    size_t mark = pop_mark(pop);
    lab_kill_group(server);
    withdrawn_because_refused(pop, "probes dns6 verdict");
    lab_authority_restart(server);
    // Nobody polls: a restart is needed to look again.
    POP_HISTORY(pop, mark, "W");
}

LAB_TEST(a_killed_nsd_is_withdrawn_at_once)
{
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});

    a_killed_authority_is_withdrawn_at_once(&pop, lab_nsd_start(pop.node, &authority));
}

LAB_TEST(a_killed_knot_is_withdrawn_at_once)
{
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});

    a_killed_authority_is_withdrawn_at_once(&pop, lab_knot_start(pop.node, &authority));
}

LAB_TEST(a_quick_restart_within_crash_grace_is_not_noticed_outside)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    announced_and_watched(&pop,
                          DNS("dns4", "192.0.2.53:53", POLLED "crash_grace = 1h\n") SERVICE("dns4"),
                          "probes dns4 watch", "kernel notifications");
    size_t mark = pop_mark(&pop);
    lab_kill(pop.unbound);
    LAB_WAIT(pop_says(&pop, "probes dns4 verdict code", "refused"), "the crash to be seen",
             POP_WAIT_MS);
    // Many times `fall`, and still within the grace.
    long fails = strtol(pop_status(&pop, "probes dns4 verdicts fail"), NULL, 10);
    LAB_WAIT(strtol(pop_status(&pop, "probes dns4 verdicts fail"), NULL, 10) >= fails + 6,
             "some more checks", POP_WAIT_MS);
    lab_unbound_restart(pop.unbound);
    LAB_WAIT(pop_says(&pop, "probes dns4 verdict kind", "pass"), "the server's return",
             POP_WAIT_MS);
    POP_HISTORY(&pop, mark, "");
    assert_true(pop_says(&pop, "probes dns4 health", "up"));
}

LAB_TEST(a_stopped_unbound_is_found_by_polling)
{
    struct pop pop = pop_make(&(struct pop_options){0});

    pop_run(&pop, DNS("dns4", "192.0.2.53:53", POLLED) SERVICE("dns4"));
    POP_WAIT_ANNOUNCED(&pop);
    lab_stop(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
    POP_WAIT_SAYS(&pop, "probes dns4 verdict code", "timeout");
    lab_cont(pop.unbound);
    POP_WAIT_ANNOUNCED(&pop);
    POP_HISTORY(&pop, 0, "AWA");
}

// ---- A server that is slow, and wrong
// ---------------------------------------------------------------

static _Atomic unsigned slow_ms;
static _Atomic int answers_rcode;

// REFUSED, which is what the probe expects, or what the test says.
static size_t answer_late(void *arg, const uint8_t *query, size_t length, uint8_t *answer,
                          size_t size)
{
    size_t opt_length = 11;
    long ns = (long)slow_ms * 1000000;

    (void)arg;
    if (length < 12 + opt_length || length > size) {
        return 0;
    }
    clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = ns}, NULL);
    memcpy(answer, query, length);
    answer[2] |= 0x80;
    answer[3] = (uint8_t)answers_rcode;
    answer[11] = 0; // no OPT record (RFC 6891 section 7)
    return length - opt_length;
}

LAB_TEST(a_slow_server_is_depreferenced_and_a_wrong_one_withdrawn)
{
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});

    slow_ms = 0;
    answers_rcode = 5;
    lab_udp_server_start(pop.node, "192.0.2.53", 53, answer_late, NULL);
    pop_run(&pop, "[probe dns4]\ntype = dns\ntarget = 192.0.2.53:53\nqname = example.net\n"
                  "rcode = REFUSED\ninterval = 200ms\nfast_interval = 50ms\ntimeout = 10s\n"
                  "max_latency = 600ms\nrise = 2\nfall = 2\n" SERVICE("dns4"));
    POP_WAIT_ANNOUNCED(&pop);
    size_t mark = pop_mark(&pop);
    slow_ms = 900;
    POP_WAIT_SAYS(&pop, "probes dns4 health", "degraded");
    POP_WAIT_DRAINING(&pop);
    assert_true(pop_says(&pop, "probes dns4 verdict code", "slow"));
    slow_ms = 0;
    answers_rcode = 2;
    POP_WAIT_WITHDRAWN(&pop);
    POP_WAIT_SAYS(&pop, "probes dns4 verdict code", "rcode");
    POP_HISTORY(&pop, mark, "GW");
}

// ---- TCP servers

#define WEB(more)                                                                                  \
    "[probe web]\ntype = tcp\ntarget = 192.0.2.53:80\n" more "[service dns]\nprefixes = " POP_V4   \
    " " POP_V6 "\nrequire = web\nlast_pop_guard = off\n" POP_TIMING

LAB_TEST(a_crashed_tcp_server_is_withdrawn_at_once)
{
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});
    struct lab_tcp_server *web =
        lab_tcp_server_start(pop.node, "192.0.2.53", 80, LAB_TCP_SILENT, NULL);

    announced_and_watched(&pop, WEB(NEVER_POLLED), "probes web watch", "tcp connection held");
    lab_tcp_server_crash(web);
    withdrawn_because_refused(&pop, "probes web verdict");
}

LAB_TEST(a_server_that_ends_every_connection_is_not_withdrawn)
{
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});
    struct lab_tcp_server *web =
        lab_tcp_server_start(pop.node, "192.0.2.53", 80, LAB_TCP_CLOSE, NULL);

    announced_and_watched(&pop, WEB(NEVER_POLLED), "probes web watch",
                          "not available: the server ended the idle tcp connection");
    size_t mark = pop_mark(&pop);
    lab_tcp_server_set(web, LAB_TCP_RESET);
    POP_HISTORY(&pop, mark, "");
    // Two to rise, the held connection, the check that its end costs; and a few for a pause that
    // was over before all this was.
    assert_true(lab_tcp_server_accepted(web) <= 8);
}

// ---- This host

LAB_TEST(an_address_that_is_removed_is_withdrawn_at_once)
{
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});

    announced_and_watched(&pop,
                          "[probe lo]\ntype = address\n"
                          "addresses = 192.0.2.53 2001:db8::53\n" NEVER_POLLED SERVICE("lo"),
                          "probes lo watch", "kernel notifications");
    size_t mark = pop_mark(&pop);
    lab_address_delete(pop.node, POP_V6);
    POP_WAIT_WITHDRAWN(&pop);
    assert_true(pop_says(&pop, "probes lo verdict code", "no-address"));
    assert_true(pop_says_part(&pop, "probes lo verdict cause", "2001:db8::53 is not configured"));
    lab_address_add(pop.node, POP_V6);
    POP_WAIT_ANNOUNCED(&pop);
    POP_HISTORY(&pop, mark, "WA");
}

// On two interfaces the address is still there when it goes from one.
LAB_TEST(an_address_that_moves_stays_announced)
{
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});

    pop_run(&pop,
            "[probe lo]\ntype = address\naddresses = 192.0.2.53\n" NEVER_POLLED SERVICE("lo"));
    POP_WAIT_ANNOUNCED(&pop);
    size_t mark = pop_mark(&pop);
    lab_ip(pop.node, "addr add 192.0.2.53/32 dev upstream");
    lab_address_delete(pop.node, POP_V4);
    POP_HISTORY(&pop, mark, "");
    lab_ip(pop.node, "addr del 192.0.2.53/32 dev upstream");
    POP_WAIT_WITHDRAWN(&pop);
}

// Of popgated's children, those that are dead and not reaped.
static unsigned zombies_of(pid_t parent)
{
    unsigned count = 0;
    DIR *processes = opendir("/proc");

    assert_non_null(processes);
    for (const struct dirent *entry; (entry = readdir(processes)) != NULL;) {
        char path[300], text[256] = "";
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *in = fopen(path, "re");
        const char *after =
            in != NULL && fgets(text, sizeof text, in) != NULL ? strrchr(text, ')') : NULL;
        if (after != NULL && strncmp(after, ") Z ", 4) == 0) {
            count += strtol(after + 4, NULL, 10) == parent;
        }
        if (in != NULL) {
            fclose(in);
        }
    }
    closedir(processes);
    return count;
}

LAB_TEST(a_command_decides_and_leaves_nothing_behind)
{
    struct pop pop = pop_make(&(struct pop_options){.no_unbound = true});
    char sections[2048], file[LAB_PATH_MAX];

    lab_path(pop.node, "verdict", file);
    lab_write(pop.node, "verdict", "echo all well; exit 0\n");
    snprintf(sections, sizeof sections,
             "[probe plugin]\ntype = exec\ncommand = /bin/sh\n %s\n%s" SERVICE("plugin"), file,
             "interval = 100ms\nfast_interval = 50ms\ntimeout = 5s\nrise = 2\nfall = 2\n");
    pop_run(&pop, sections);
    POP_WAIT_ANNOUNCED(&pop);
    POP_WAIT_SAYS(&pop, "probes plugin verdict cause", "all well");
    size_t mark = pop_mark(&pop);
    lab_write(pop.node, "verdict", "echo 'a bit slow|t=3'; exit 1\n");
    POP_WAIT_DRAINING(&pop);
    lab_write(pop.node, "verdict", "echo 'broken by hand'; exit 2\n");
    POP_WAIT_WITHDRAWN(&pop);
    POP_WAIT_SAYS(&pop, "probes plugin verdict cause", "broken by hand");
    lab_write(pop.node, "verdict", "echo all well; sleep 1000 & exit 0\n");
    POP_WAIT_ANNOUNCED(&pop);
    POP_HISTORY(&pop, mark, "GWA");
    pid_t popgated = lab_pid(lab_popgated_process(pop.popgated));
    LAB_WAIT(zombies_of(popgated) == 0, "no zombie", POP_WAIT_MS);
    lab_write(pop.node, "verdict", "exit 3\n"); // lets the last one end
    LAB_WAIT(lab_run(pop.node, LAB_ARGV("pgrep", "-x", "sleep"), NULL, 0) != 0,
             "no grandchild to be left", POP_WAIT_MS);
    POP_WAIT_SAYS(&pop, "probes plugin verdict kind", "unknown");
    assert_true(pop_announced(&pop));
}
