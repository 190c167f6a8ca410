// Processes in nodes: started, watched, signalled and always reaped.
#include "tests/lab/lab.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_TIMEOUT_MS 60000

struct lab_process {
    struct lab_node *node;
    char log[LAB_PATH_MAX];
    off_t log_begin; // of the present run
    char **argv, **environment;
    uid_t user;
    pid_t pid;
    bool reaped;
    int status;
};

// ---- In the child, between fork and exec

static _Noreturn void child_give_up(const char *attempted, const char *on)
{
    dprintf(STDERR_FILENO, "lab: cannot %s %s: %s\n", attempted, on, strerror(errno));
    _exit(127);
}

static void child_become(uid_t user)
{
    if (user != 0 && (setgroups(0, NULL) != 0 || setresgid(user, user, user) != 0 ||
                      setresuid(user, user, user) != 0)) {
        child_give_up("become", "another user");
    }
}

static void child_search_sbin(void)
{
    char path[4096];
    const char *present = getenv("PATH");

    snprintf(path, sizeof path, "%s%s/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin",
             present != NULL ? present : "", present != NULL ? ":" : "");
    setenv("PATH", path, 1);
}

static _Noreturn void child_exec(const struct lab_node *node, char *const argv[],
                                 char *const environment[], uid_t user, int output)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    lab_enter(node);
    child_become(user);
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++) {
        putenv(environment[i]);
    }
    child_search_sbin();
    execvp(argv[0], argv);
    child_give_up("run", argv[0]);
}

// ---- Spawning

static char **copy_strings(const char *const strings[])
{
    size_t count = 0;

    while (strings[count] != NULL) {
        count++;
    }
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = strdup(strings[i]);
        if (copy[i] == NULL) {
            lab_fail("out of memory");
        }
    }
    if (copy == NULL) {
        lab_fail("out of memory");
    }
    return copy;
}

static void free_strings(char **strings)
{
    for (size_t i = 0; strings != NULL && strings[i] != NULL; i++) {
        free(strings[i]);
    }
    free((void *)strings);
}

static void start(struct lab_process *process)
{
    struct stat stat;
    int log = open(process->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    if (log < 0 || fstat(log, &stat) != 0) {
        lab_fail("open log %s: %s", process->log, strerror(errno));
    }
    process->log_begin = stat.st_size;
    process->reaped = false;
    fflush(NULL);
    process->pid = fork();
    if (process->pid == 0) {
        child_exec(process->node, process->argv, process->environment, process->user, log);
    }
    close(log);
    if (process->pid < 0) {
        process->reaped = true;
        lab_fail("fork for %s: %s", process->argv[0], strerror(errno));
    }
}

static void process_end(void *arg)
{
    struct lab_process *process = arg;

    lab_kill(process);
    free_strings(process->argv);
    free_strings(process->environment);
    free(process);
}

struct lab_process *lab_spawn(struct lab_node *node, const struct lab_command *command)
{
    char name[LAB_PATH_MAX];
    struct lab_process *process = calloc(1, sizeof *process);

    assert(command->name != NULL && command->argv != NULL && command->argv[0] != NULL);
    if (process == NULL) {
        lab_fail("out of memory");
    }
    snprintf(name, sizeof name, "%s.log", command->name);
    lab_path(node, name, process->log);
    process->node = node;
    process->argv = copy_strings(command->argv);
    process->environment = command->environment != NULL ? copy_strings(command->environment) : NULL;
    process->user = command->user;
    process->reaped = true;
    lab_at_clear(process_end, process);
    start(process);
    return process;
}

void lab_respawn(struct lab_process *process)
{
    if (lab_running(process)) {
        lab_fail("start %s again: it still runs", process->argv[0]);
    }
    start(process);
}

// ---- Watching

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void reap(struct lab_process *process, int options)
{
    if (!process->reaped) {
        pid_t pid;

        do {
            pid = waitpid(process->pid, &process->status, options);
        } while (pid < 0 && errno == EINTR);
        process->reaped = pid != 0;
    }
}

pid_t lab_pid(const struct lab_process *process)
{
    return process->pid;
}

bool lab_running(struct lab_process *process)
{
    reap(process, WNOHANG);
    return !process->reaped;
}

void lab_signal(struct lab_process *process, int signal)
{
    if (!lab_running(process)) {
        lab_fail("send signal %d to %s: it has ended with status %d", signal, process->argv[0],
                 exit_status(process->status));
    }
    kill(process->pid, signal);
}

void lab_kill(struct lab_process *process)
{
    if (lab_running(process)) {
        kill(process->pid, SIGKILL);
        reap(process, 0);
    }
}

void lab_stop(struct lab_process *process)
{
    siginfo_t info;

    lab_signal(process, SIGSTOP);
    if (waitid(P_PID, (id_t)process->pid, &info, WSTOPPED | WEXITED | WNOWAIT) != 0 ||
        info.si_code != CLD_STOPPED) {
        lab_fail("stop %s: it ended instead", process->argv[0]);
    }
}

void lab_cont(struct lab_process *process)
{
    lab_signal(process, SIGCONT);
}

int lab_wait_exit(struct lab_process *process, uint64_t timeout_ms)
{
    LAB_WAIT(!lab_running(process), process->argv[0], timeout_ms);
    return exit_status(process->status);
}

bool lab_log_contains(const struct lab_process *process, const char *text)
{
    char line[4096];
    bool found = false;
    FILE *log = fopen(process->log, "re");

    if (log == NULL || fseek(log, process->log_begin, SEEK_SET) != 0) {
        lab_fail("read log %s: %s", process->log, strerror(errno));
    }
    while (!found && fgets(line, sizeof line, log) != NULL) {
        found = strstr(line, text) != NULL;
    }
    fclose(log);
    return found;
}

// ---- Running to the end

// Until the other end closes. False when that takes longer than RUN_TIMEOUT_MS.
static bool read_all(int fd, char *output, size_t size)
{
    uint64_t deadline_ns = lab_now_ns() + RUN_TIMEOUT_MS * UINT64_C(1000000);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    char chunk[4096];
    size_t length = 0;
    ssize_t got = 1;

    while (got > 0 && lab_now_ns() < deadline_ns) {
        if (poll(&readable, 1, 100) <= 0) {
            continue;
        }
        got = read(fd, chunk, sizeof chunk);
        if (got > 0 && output != NULL && length + 1 < size) {
            size_t room = size - 1 - length;
            size_t part = (size_t)got < room ? (size_t)got : room;

            memcpy(output + length, chunk, part);
            length += part;
        }
    }
    if (output != NULL) {
        output[length] = '\0';
    }
    return got <= 0;
}

int lab_run(struct lab_node *node, const char *const argv[], char *output, size_t size)
{
    int ends[2];
    int status = 0;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        lab_fail("make a pipe for %s: %s", argv[0], strerror(errno));
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        lab_fail("fork for %s: %s", argv[0], strerror(errno));
    }
    if (pid == 0) {
        child_exec(node, (char *const *)argv, NULL, 0, ends[1]);
    }
    close(ends[1]);
    bool ended = read_all(ends[0], output, size);
    close(ends[0]);
    if (!ended) {
        kill(pid, SIGKILL);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!ended) {
        lab_fail("%s in node %s has not ended within %d ms", argv[0], lab_name(node),
                 RUN_TIMEOUT_MS);
    }
    return exit_status(status);
}
