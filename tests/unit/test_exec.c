// The exec probe against real commands: what their ends mean, and what they leave behind.
#include "probes/aside.h"
#include "tests/unit/own_clock.h"
#include "tests/unit/probe_fixture.h"

#include <dirent.h>
#include <dlfcn.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct fixture fixture;
static char directory[64];

// This program's posix_spawnp() comes before the C library's, and is as slow as a dead file system
// when it is told so.
static atomic_bool file_system_hangs;
static atomic_uint spawned;
static uint64_t start_takes_ns; // on the test's clock

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const words[], char *const variables[])
{
    int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                const posix_spawnattr_t *, char *const[], char *const[]);
    *(void **)&real = dlsym(RTLD_NEXT, "posix_spawnp");
    while (file_system_hangs) {
        usleep(1000);
    }
    int error = real(pid, file, actions, attributes, words, variables);
    own_clock_pass_ns(start_takes_ns);
    spawned++;
    return error;
}

// So does its kill(), which ends nobody while all wait for a disk.
static atomic_bool nobody_can_be_killed;
static pid_t not_killed; // the last group

int kill(pid_t pid, int signal)
{
    if (nobody_can_be_killed && pid < 0) {
        not_killed = pid;
        return 0;
    }
    return (int)syscall(SYS_kill, pid, signal);
}

// Its pidfd_open() has no descriptor left, and its epoll_ctl() no room for a process, when told so.
static atomic_bool no_pidfd, no_watch;

int pidfd_open(pid_t pid, unsigned flags)
{
    if (no_pidfd) {
        errno = EMFILE;
        return -1;
    }
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

static bool is_process(int fd)
{
    char path[32], what[32] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return readlink(path, what, sizeof what - 1) > 0 && strcmp(what, "anon_inode:[pidfd]") == 0;
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (no_watch && is_process(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/popgate-exec-XXXXXX");
    assert_non_null(mkdtemp(directory));
    own_clock.stands_still = NULL;
    start_takes_ns = 0;
    fixture_open(&fixture, "exec");
    return 0;
}

// No child may be left, dead or alive.
static int tear_down(void **state)
{
    (void)state;
    fixture_close(&fixture);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    DIR *entries = opendir(directory);
    assert_non_null(entries);
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        (void)unlinkat(dirfd(entries), entry->d_name, 0);
    }
    closedir(entries);
    rmdir(directory);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

// Each word of the command, as the configuration hands them over.
static void command(const char *words)
{
    char copy[1024], *rest = copy;
    snprintf(copy, sizeof copy, "%s", words);
    for (const char *word; (word = strsep(&rest, " ")) != NULL;) {
        fixture_set(&fixture, "command", word);
    }
}

static const struct verdict *run_shell(const char *line)
{
    fixture_set(&fixture, "shell", "yes");
    command(line);
    return fixture_run(&fixture, 1);
}

static const char *path_of(const char *file)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    return path;
}

// ---- Verdicts

TEST(exit_status_0_passes_and_the_first_line_is_the_cause)
{
    command("/bin/echo DNS OK - 12 ms");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_PASS, "ok", "DNS OK - 12 ms");
}

TEST(exit_status_1_is_degraded)
{
    assert_verdict(run_shell("echo slow; exit 1"), VERDICT_DEGRADED, "warning", "slow");
}

TEST(exit_status_2_fails)
{
    assert_verdict(run_shell("echo broken; exit 2"), VERDICT_FAIL, "critical", "broken");
}

TEST(exit_status_3_is_unknown)
{
    assert_verdict(run_shell("echo no idea; exit 3"), VERDICT_UNKNOWN, "unknown", "no idea");
}

TEST(other_exit_statuses_are_unknown)
{
    assert_verdict(run_shell("echo what; exit 4"), VERDICT_UNKNOWN, "command",
                   "exited with 4, which means nothing to Nagios: what");
}

TEST(a_command_that_crashes_says_nothing_about_the_service)
{
    assert_verdict(run_shell("kill -SEGV $$"), VERDICT_UNKNOWN, "signal",
                   "was ended by Segmentation fault");
}

TEST(a_silent_command_is_named_with_its_status)
{
    assert_verdict(run_shell("exit 2"), VERDICT_FAIL, "critical",
                   "command exit exited with 2 and wrote nothing");
}

TEST(performance_data_and_further_lines_are_dropped)
{
    const struct verdict *verdict = run_shell("printf 'DISK OK |size=3\\nmore\\n'");
    assert_verdict(verdict, VERDICT_PASS, "ok", "DISK OK");
    assert_string_equal(verdict->cause, "DISK OK");
}

TEST(leading_empty_lines_are_skipped_and_control_bytes_shown_as_blanks)
{
    const struct verdict *verdict = run_shell("printf '\\n\\na\\033[31mb\\tc\\r\\n'");
    assert_string_equal(verdict->cause, "a [31mb c");
}

TEST(a_line_that_is_too_long_is_cut)
{
    const struct verdict *verdict = run_shell("head -c 100000 /dev/zero | tr '\\0' x; exit 2");
    assert_int_equal(verdict->kind, VERDICT_FAIL);
    assert_int_equal(strlen(verdict->cause), VERDICT_CAUSE_MAX - 1);
}

TEST(what_is_written_to_standard_error_counts_as_output)
{
    assert_verdict(run_shell("echo oh >&2; exit 2"), VERDICT_FAIL, "critical", "oh");
}

TEST(a_command_that_writes_much_is_not_kept_waiting)
{
    assert_verdict(run_shell("echo first; head -c 1000000 /dev/zero; exit 1"), VERDICT_DEGRADED,
                   "warning", "first");
}

// ---- No shell unless asked for

TEST(without_shell_nothing_is_expanded)
{
    command("/bin/echo $HOME ; exit 2 | x");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_PASS, "ok", "$HOME ; exit 2");
}

TEST(a_name_is_found_in_path)
{
    command("true");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_PASS, "ok", "command true exited with 0");
}

TEST(a_relative_path_is_refused)
{
    char error[ERROR_MAX];
    command("plugins/check_x -a");
    assert_int_equal(first_error(&fixture.conf, error), -1);
    assert_non_null(strstr(error, "must be an absolute path"));
}

TEST(words_beyond_the_bounds_are_refused)
{
    char error[ERROR_MAX], longer[3000];
    const struct key *key = key_find(fixture.conf.type->keys, "command");
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(key_set(key, longer, fixture.conf.options, error), -1);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(key_set(key, "w", fixture.conf.options, error), 0);
    }
    assert_int_equal(key_set(key, "w", fixture.conf.options, error), -1);
    assert_string_equal(error, "more than 64 words, or 2048 bytes");
}

// ---- Trouble of our own

TEST(a_script_without_its_interpreter_is_told_from_one_that_is_not_there)
{
    char path[] = "/tmp/popgate-script-XXXXXX";
    static const char script[] = "#!/nonexistent/perl -w\nprint 1;\n";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, sizeof script - 1), sizeof script - 1);
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
    command(path);
    const struct verdict *verdict = fixture_run(&fixture, 1);
    unlink(path);
    assert_verdict(verdict, VERDICT_UNKNOWN, "command",
                   "No such file or directory; the file is there, but not what it is run by: "
                   "#!/nonexistent/perl -w");
}

TEST(a_command_that_is_not_there_is_unknown)
{
    command("/nonexistent/check_dns -H x");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_UNKNOWN, "command",
                   "can't run command /nonexistent/check_dns: No such file or directory");
}

TEST(a_command_that_may_not_be_run_is_unknown)
{
    command("/etc/passwd");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_UNKNOWN, "command", "Permission denied");
}

TEST(without_descriptors_it_is_unknown)
{
    command("/bin/true");
    assert_int_equal(uv_run(&fixture.loop, UV_RUN_NOWAIT), 0);
    struct rlimit before = take_descriptors();
    const struct verdict *verdict = fixture_run(&fixture, 1);
    give_descriptors_back(before);
    assert_verdict(verdict, VERDICT_UNKNOWN, "local", "can't start command /bin/true");
}

// ---- Surroundings

// An ambient capability has to be inheritable.
static int make_ambient(int capability)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data) != 0) {
        return -1;
    }
    data[0].inheritable |= 1u << capability;
    return syscall(SYS_capset, &header, data) != 0
               ? -1
               : prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0L, 0L);
}

TEST(only_standard_descriptors_are_open_in_it)
{
    int leaked = dup(0); // not close-on-exec
    assert_true(leaked > 2);
    // The shell's glob opens the directory itself: one more than the standard three.
    const struct verdict *verdict = run_shell("ls -1 /proc/self/fd | tr '\\n' ' '");
    close(leaked);
    assert_string_equal(verdict->cause, "0 1 2 3");
}

TEST(its_environment_is_just_what_it_needs)
{
    setenv("POPGATE_TEST_SECRET", "do not tell", 1);
    fixture_target(&fixture, "192.0.2.53", 53);
    const struct verdict *verdict = run_shell("env -u PWD -u OLDPWD -u _ -u PATH | sort | xargs");
    unsetenv("POPGATE_TEST_SECRET");
    assert_string_equal(verdict->cause, "LC_ALL=C.UTF-8 POPGATE_PROBE=probe "
                                        "POPGATE_TARGET=192.0.2.53:53 POPGATE_TIMEOUT_MS=20000");
}

// What keeps popgated alive and lets it bind its ports is not for what it runs.
TEST(neither_our_place_in_memory_nor_our_capabilities_are_its_own)
{
    FILE *own = fopen("/proc/self/oom_score_adj", "re+");
    assert_non_null(own);
    if (geteuid() != 0) {
        skip(); // only root has capabilities to give away
    }
    assert_true(fputs("500", own) >= 0 && fflush(own) == 0);
    assert_int_equal(make_ambient(CAP_NET_BIND_SERVICE), 0);
    const struct verdict *verdict =
        run_shell("while read score < /proc/$$/oom_score_adj && test $score != 0; do :; done; "
                  "grep CapAmb /proc/self/status | xargs");
    rewind(own);
    assert_true(fputs("0", own) >= 0);
    fclose(own);
    assert_string_equal(verdict->cause, "CapAmb: 0000000000000000");
    assert_int_equal(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L), 0);
}

TEST(signals_are_as_a_command_expects_them)
{
    signal(SIGPIPE, SIG_IGN);
    const struct verdict *verdict = run_shell("grep -E 'Sig(Blk|Ign)' /proc/self/status | xargs");
    signal(SIGPIPE, SIG_DFL);
    const char *mask = strstr(verdict->cause, "SigIgn: ");
    assert_non_null(strstr(verdict->cause, "SigBlk: 0000000000000000"));
    assert_non_null(mask);
    uint64_t ignored = strtoull(mask + strlen("SigIgn: "), NULL, 16);
    assert_true((ignored & 0x7fffffff) == 0); // above it are the C library's own
}

// ---- Ends

static unsigned lines_in_time; // that the file "ready" is to have before any time passes

static bool is_not_ready(void)
{
    unsigned lines = 0;
    FILE *in = fopen(path_of("ready"), "re");
    for (int byte; in != NULL && (byte = fgetc(in)) != EOF;) {
        lines += byte == '\n';
    }
    if (in != NULL) {
        fclose(in);
    }
    return aside_is_busy() || lines < lines_in_time;
}

// However long the machine takes to start the command, its time counts from when it has written so
// many lines to the file "ready".
static void time_passes_after(unsigned lines)
{
    lines_in_time = lines;
    own_clock.stands_still = is_not_ready;
}

// Every process that wrote its id into the file is gone, as soon as the kernel gets to it.
static void assert_gone(const char *file)
{
    long pid = 0;
    char line[32];
    FILE *in = fopen(path_of(file), "re");
    assert_non_null(in);
    while (fgets(line, sizeof line, in) != NULL) {
        pid = strtol(line, NULL, 10);
        assert_true(pid > 0);
        while (kill((pid_t)pid, 0) == 0) {
            char path[64], text[128] = "";
            snprintf(path, sizeof path, "/proc/%ld/stat", pid);
            FILE *stat = fopen(path, "re");
            if (stat != NULL) {
                (void)!fread(text, 1, sizeof text - 1, stat);
                fclose(stat);
            }
            if (strstr(text, ") Z ") != NULL) {
                break; // dead, but whoever adopted it has not looked yet
            }
            guard_awaits("a process to be gone");
            usleep(1000);
        }
    }
    fclose(in);
    assert_true(pid > 0);
}

TEST(at_the_timeout_the_whole_group_is_killed)
{
    char line[512];
    snprintf(
        line, sizeof line,
        "echo $$ >> %s/ready; (echo $(exec sh -c 'echo $PPID') >> %s/ready; sleep 600) & sleep 600",
        directory, directory);
    time_passes_after(2);
    fixture_set(&fixture, "timeout", "300ms");
    assert_verdict(run_shell(line), VERDICT_FAIL, "timeout", "no end of command echo within 300ms");
    fixture_close(&fixture); // it is reaped by now
    assert_gone("ready");
    fixture_open(&fixture, "exec");
}

TEST(a_command_deaf_to_sigterm_is_killed_all_the_same)
{
    char line[256];
    snprintf(line, sizeof line,
             "trap '' TERM HUP INT; echo deaf > %s/ready; while :; do sleep 1; done", directory);
    time_passes_after(1);
    fixture_set(&fixture, "timeout", "200ms");
    assert_verdict(run_shell(line), VERDICT_FAIL, "timeout", "no end of command");
}

TEST(a_grandchild_that_holds_the_output_keeps_nobody_waiting)
{
    char line[256];
    snprintf(line, sizeof line, "sleep 600 & echo $! > %s/pids; echo fine", directory);
    assert_verdict(run_shell(line), VERDICT_PASS, "ok", "fine");
    assert_gone("pids");
}

TEST(it_runs_again_and_again)
{
    command("/bin/echo once more");
    assert_verdict(fixture_run(&fixture, 5), VERDICT_PASS, "ok", "once more");
}

TEST(after_a_timeout_the_next_check_is_a_new_one)
{
    char line[256];
    snprintf(line, sizeof line, "test -e %s/ready && echo back && exit; echo > %s/ready; sleep 600",
             directory, directory);
    time_passes_after(1);
    fixture_set(&fixture, "timeout", "500ms");
    assert_verdict(run_shell(line), VERDICT_FAIL, "timeout", "no end of command");
    fixture_set(&fixture, "timeout", "20s");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_PASS, "ok", "back");
}

TEST(a_command_on_a_dead_file_system_holds_up_nothing_and_is_no_evidence)
{
    siginfo_t info;
    char line[256];
    unsigned before = spawned;
    snprintf(line, sizeof line, "echo $$ >> %s/ready; sleep 600", directory);
    file_system_hangs = true;
    fixture_set(&fixture, "timeout", "100ms");
    assert_verdict(run_shell(line), VERDICT_UNKNOWN, "local",
                   "no start of command echo: the kernel is still reading its file");
    fixture_close(&fixture); // nor is the end
    fixture_open(&fixture, "exec");
    file_system_hangs = false;
    while (spawned == before || waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
        guard_awaits("the end of what was started at last");
        sched_yield();
    }
}

TEST(a_command_whose_start_took_its_time_is_no_evidence)
{
    own_clock.stands_still = aside_is_busy; // but for what the start is told to take
    start_takes_ns = 700 * NS_PER_MS;
    fixture_set(&fixture, "timeout", "1s");
    command("/bin/sleep 600");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_UNKNOWN, "local",
                   "no end of command /bin/sleep, whose start alone took 700ms");
}

TEST(a_command_that_had_half_of_its_time_is_evidence)
{
    own_clock.stands_still = aside_is_busy;
    start_takes_ns = 400 * NS_PER_MS;
    fixture_set(&fixture, "timeout", "1s");
    command("/bin/sleep 600");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_FAIL, "timeout", "no end of command");
}

TEST(a_command_that_waits_for_one_that_can_not_be_killed_is_no_evidence)
{
    nobody_can_be_killed = true;
    own_clock.stands_still = aside_is_busy;
    fixture_set(&fixture, "timeout", "50ms");
    command("/bin/sleep 600");
    (void)fixture_run(&fixture, 2);
    nobody_can_be_killed = false;
    kill(not_killed, SIGKILL);
    assert_verdict(&fixture.verdicts[0], VERDICT_FAIL, "timeout", "no end of command /bin/sleep");
    assert_verdict(&fixture.verdicts[1], VERDICT_UNKNOWN, "local",
                   "no end of command /bin/sleep, which was killed by the check before");
}

static bool nothing_was_said(void)
{
    return fixture.count == 0;
}

TEST(a_command_whose_start_took_its_time_is_not_slow)
{
    own_clock.stands_still = nothing_was_said; // but for what the start is told to take
    start_takes_ns = 400 * NS_PER_MS;
    fixture_set(&fixture, "timeout", "1s");
    fixture_set(&fixture, "max_latency", "300ms");
    command("/bin/echo fine");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_PASS, "ok", "fine");
}

// What was started and does not die (it waits for a dead file system) is not waited for either.
static void end_while_unwatched(atomic_bool *why, const char *says)
{
    *why = nobody_can_be_killed = true;
    own_clock.stands_still = nothing_was_said; // however long the start takes
    fixture_set(&fixture, "timeout", "50ms");
    command("/bin/sleep 600");
    (void)fixture_run(&fixture, 2);
    *why = nobody_can_be_killed = false;
    kill(not_killed, SIGKILL);
    assert_verdict(&fixture.verdicts[0], VERDICT_UNKNOWN, "local", says);
    assert_verdict(&fixture.verdicts[1], VERDICT_UNKNOWN, "local",
                   "no end of command /bin/sleep, which was killed by the check before");
    while (aside_is_busy()) {
        guard_awaits("somebody to reap it");
        sched_yield();
    }
}

TEST(a_command_that_no_descriptor_is_left_for_is_reaped_aside)
{
    end_while_unwatched(&no_pidfd, "can't start command /bin/sleep: Too many open files");
}

TEST(a_command_that_can_t_be_watched_is_reaped_aside)
{
    end_while_unwatched(&no_watch, "can't start command /bin/sleep: No space left on device");
}

TEST(what_was_reaped_aside_makes_room_for_the_next_check)
{
    no_pidfd = true;
    command("/bin/true");
    assert_verdict(fixture_run(&fixture, 1), VERDICT_UNKNOWN, "local", "Too many open files");
    while (aside_is_busy()) {
        guard_awaits("somebody to reap it");
        sched_yield();
    }
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    no_pidfd = false;
    assert_verdict(fixture_run(&fixture, 1), VERDICT_PASS, "ok", "exited with 0");
}
