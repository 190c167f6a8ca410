// A prober that can't look knows nothing: whatever popgated itself is starved of, what it has
// announced stays announced, and status says why.
#include "tests/lab/pop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POLLED                                                                                     \
    "interval = 100ms\nfast_interval = 50ms\ntimeout = 2s\nrise = 2\nfall = 2\n"                   \
    "unknown_grace = 500ms\n"
#define PROBES                                                                                     \
    "[probe dns4]\ntype = dns\ntarget = 192.0.2.53:53\nqname = id.server\nclass = CH\n"            \
    "qtype = TXT\n" POLLED                                                                         \
    "[probe tcp]\ntype = dns\nprotocol = tcp\ntarget = 192.0.2.53:53\nqname = id.server\n"         \
    "class = CH\nqtype = TXT\n" POLLED
#define SERVICE_ADOPTED_FOR(time)                                                                  \
    "[service dns]\nprefixes = " POP_V4 " " POP_V6                                                 \
    "\nrequire = dns4 tcp\nlast_pop_guard = off\nadopt_grace = " time "\n" POP_TIMING
#define SERVICE SERVICE_ADOPTED_FOR("500ms")

#define BLIND_CHECKS 10

// Unknown for many checks and longer than unknown_grace, and nothing was sent.
static void stays_announced_while_blind(struct pop *pop, size_t mark, const char *why)
{
    LAB_WAIT(pop_says(pop, "probes dns4 verdict kind", "unknown") &&
                 pop_says_part(pop, "probes dns4 verdict cause", why),
             why, POP_WAIT_MS);
    LAB_WAIT(strtol(pop_status(pop, "probes dns4 verdicts unknown"), NULL, 10) >= BLIND_CHECKS,
             "many unknown verdicts", POP_WAIT_MS);
    POP_WAIT_SAYS(pop, "probes dns4 blind", "true");
    POP_WAIT_SAYS(pop, "probes tcp blind", "true");
    assert_true(pop_says(pop, "probes dns4 verdicts fail", "0"));
    assert_true(pop_says(pop, "services dns target", "announce"));
    assert_true(pop_says(pop, "services dns gate held", "true"));
    assert_true(pop_says_part(pop, "services dns why", why));
    POP_COMMAND(pop, 1, "check");
    POP_COMMAND(pop, 0, "probes");
    assert_non_null(strstr(pop_output, why));
    POP_HISTORY(pop, mark, "");
}

// ---- Descriptors
// -----------------------------------------------------------------------------------

// Gives it no number above; returns the limit that it had.
static rlim_t limit_descriptors(pid_t pid, rlim_t limit)
{
    struct rlimit limits, before;

    if (prlimit(pid, RLIMIT_NOFILE, NULL, &before) != 0) {
        lab_fail("ask for the descriptors of process %d: %s", pid, strerror(errno));
    }
    limits = (struct rlimit){.rlim_cur = limit, .rlim_max = before.rlim_max};
    if (prlimit(pid, RLIMIT_NOFILE, &limits, NULL) != 0) {
        lab_fail("limit the descriptors of process %d: %s", pid, strerror(errno));
    }
    return before.rlim_cur;
}

// The first number that is free in it.
static rlim_t free_descriptor(pid_t pid)
{
    char path[64];
    rlim_t fd = 0;

    do {
        snprintf(path, sizeof path, "/proc/%d/fd/%lu", pid, (unsigned long)fd++);
    } while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    return fd - 1;
}

LAB_TEST(without_descriptors_everything_stays_announced)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    char sections[4096];

    snprintf(sections, sizeof sections, "%s%s", PROBES, SERVICE);
    pop_run(&pop, sections);
    POP_WAIT_ANNOUNCED(&pop);
    size_t mark = pop_mark(&pop);
    pid_t pid = lab_pid(lab_popgated_process(pop.popgated));
    const rlim_t before = limit_descriptors(pid, free_descriptor(pid));
    // Nobody can ask it now; its events are on record when they can again.
    LAB_WAIT(lab_log_contains(lab_popgated_process(pop.popgated), "too many open files"),
             "the log to tell of it", POP_WAIT_MS);
    POP_HISTORY(&pop, mark, "");
    limit_descriptors(pid, before);
    POP_WAIT_SAYS(&pop, "probes dns4 health", "up");
    assert_true(strtol(pop_status(&pop, "probes dns4 verdicts unknown"), NULL, 10) > 0);
    assert_true(pop_says(&pop, "probes dns4 verdicts fail", "0"));
    assert_true(pop_has_event(&pop, "too many open files"));
    POP_HISTORY(&pop, mark, "");
    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
}

// Started by hand it has a soft limit for programs that use select().
LAB_TEST(it_takes_the_descriptors_that_it_may_have)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    struct rlimit own;

    const rlim_t before = limit_descriptors(getpid(), 256);
    pop_run(&pop, PROBES SERVICE);
    limit_descriptors(getpid(), before);
    POP_WAIT_ANNOUNCED(&pop);
    assert_int_equal(
        prlimit(lab_pid(lab_popgated_process(pop.popgated)), RLIMIT_NOFILE, NULL, &own), 0);
    assert_true(own.rlim_cur > 256);
}

// ---- A disk that takes nothing
// -----------------------------------------------------------------------

LAB_TEST(with_read_only_disks_it_announces_and_withdraws_and_says_so)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    char sections[4096], run[LAB_PATH_MAX], states[LAB_PATH_MAX];

    snprintf(sections, sizeof sections, "%s%s", PROBES, SERVICE);
    pop_run(&pop, sections);
    POP_WAIT_ANNOUNCED(&pop);
    size_t mark = pop_mark(&pop);
    const char *const directories[] = {lab_path(pop.node, "run", run),
                                       lab_path(pop.node, "state", states)};
    for (size_t i = 0; i < 2; i++) {
        if (mount(directories[i], directories[i], NULL, MS_BIND, NULL) != 0 ||
            mount(NULL, directories[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) != 0) {
            lab_fail("make %s read-only: %s", directories[i], strerror(errno));
        }
    }
    POP_HISTORY(&pop, mark, "");
    // An operator's word that can't be made safe is refused; what is announced is not touched.
    POP_COMMAND(&pop, 1, "drain", "dns");
    assert_non_null(strstr(pop_output, "Read-only"));
    POP_HISTORY(&pop, mark, "");
    // Evidence about the service still counts.
    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
    LAB_WAIT(pop_says(&pop, "include saved", "false"), "status to say that the file is not saved",
             POP_WAIT_MS);
    POP_COMMAND(&pop, 0, "status");
    assert_non_null(strstr(pop_output, "Read-only"));
    for (size_t i = 0; i < 2; i++) {
        umount(directories[i]);
    }
    POP_WAIT_SAYS(&pop, "include saved", "true");
}

// ---- A loopback that carries nothing
// -------------------------------------------------------------------

LAB_TEST(a_prober_that_cannot_reach_itself_withdraws_nothing)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    char sections[4096];

    snprintf(sections, sizeof sections, "%s%s", PROBES, SERVICE);
    pop_run(&pop, sections);
    POP_WAIT_ANNOUNCED(&pop);
    size_t mark = pop_mark(&pop);
    // Everything between addresses of this host goes over lo, so the probes time out as well.
    lab_ip(pop.node, "link set lo down");
    stays_announced_while_blind(&pop, mark, "popgated itself is sick");
    assert_true(pop_says_part(&pop, "services dns why", "probe dns4 can't look now: "));
    assert_true(pop_says_part(&pop, "services dns why", "held as last known"));
    assert_true(pop_says(&pop, "probes dns4 verdict code", "prober-sick"));
    assert_true(pop_says_part(&pop, "prober_trouble", "over the loopback"));
    POP_COMMAND(&pop, 0, "status");
    assert_non_null(strstr(pop_output, "! popgated can't see ("));
    POP_COMMAND(&pop, 1, "check");
    assert_non_null(strstr(pop_output, "WARNING - popgated can't see"));
    lab_ip(pop.node, "link set lo up");
    POP_WAIT_SAYS(&pop, "probes dns4 health", "up");
    POP_WAIT_SAYS(&pop, "prober_trouble", "");
    POP_HISTORY(&pop, mark, "");
    lab_kill(pop.unbound);
    POP_WAIT_WITHDRAWN(&pop);
}

// ---- A sandbox that refuses sockets
// ----------------------------------------------------------------

#define REFUSE "REFUSE_SOCKETS" // a file; popgated may make no IP socket while it exists
#define REAL   "REAL_POPGATED"

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))

// socket(AF_INET or AF_INET6) is EPERM from now on, in this process and what it becomes.
static bool refuse_ip_sockets(void)
{
    struct sock_filter code[] = {
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 4),
        LOAD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// This program in popgated's place: it becomes popgated, in the sandbox or not.
static int become_popgated(char **argv)
{
    const char *real = getenv(REAL);
    const char *refuse = getenv(REFUSE);

    if (real == NULL) {
        return 1;
    }
    if (refuse != NULL && access(refuse, F_OK) == 0 && !refuse_ip_sockets()) {
        perror("seccomp");
        return 1;
    }
    execv(real, argv);
    perror(real);
    return 1;
}

LAB_TEST(a_sandbox_that_refuses_sockets_withdraws_nothing_before_adopt_grace_is_over)
{
    struct pop pop = pop_make(&(struct pop_options){0});
    char sections[4096], file[LAB_PATH_MAX], real[4096];

    snprintf(real, sizeof real, "%s", lab_popgated_program());
    setenv(REAL, real, 1);
    setenv(REFUSE, lab_path(pop.node, "refuse", file), 1);
    setenv("POPGATED", "/proc/self/exe", 1);
    snprintf(sections, sizeof sections, "%s%s", PROBES, SERVICE_ADOPTED_FOR("1h"));
    pop_run(&pop, sections);
    setenv("POPGATED", real, 1);
    POP_WAIT_ANNOUNCED(&pop);
    size_t mark = pop_mark(&pop);
    lab_popgated_kill(pop.popgated);
    lab_write(pop.node, "refuse", "");
    lab_popgated_restart(pop.popgated);
    stays_announced_while_blind(&pop, mark, "operation not permitted");
    unlink(file);
    lab_popgated_kill(pop.popgated);
    lab_popgated_restart(pop.popgated);
    POP_WAIT_SAYS(&pop, "probes dns4 health", "up");
    POP_HISTORY(&pop, mark, "");

    lab_popgated_kill(pop.popgated);
    lab_write(pop.node, "refuse", "");
    snprintf(sections, sizeof sections, "%s%s", PROBES, SERVICE);
    pop_write(&pop, sections);
    lab_popgated_restart(pop.popgated);
    POP_WAIT_WITHDRAWN(&pop);
    assert_true(pop_says(&pop, "services dns cause", "unknown"));
    assert_true(pop_says(&pop, "probes dns4 verdicts fail", "0"));
}

int main(int argc, char **argv)
{
    if (argc > 1 && getenv(REAL) != NULL) {
        return become_popgated(argv);
    }
    return test_main(argc, argv);
}
