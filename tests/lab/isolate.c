// How a program enters the lab: namespaces of its own, which end with it whatever ends it.
//
// Three processes come of it. The outer one, which the user started, waits. The init is PID 1 of
// the PID namespace: it only reaps, and dies with the outer one (PR_SET_PDEATHSIG); with it the
// kernel ends everything in the namespace. The third goes on with main(). It is not PID 1 itself,
// because the kernel spares a PID 1 the signals that ought to end it, abort()'s for one.
#include "tests/lab/internal.h"
#include "tests/lab/lab.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool own_users; // in a user namespace of our own
static int outside_pid;

static _Noreturn void give_up(const char *attempted)
{
    fprintf(stderr, "lab: cannot %s: %s\n", attempted, strerror(errno));
    _exit(1);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0) {
        give_up(path);
    }
    close(fd);
}

static void become_root_of_own_users(void)
{
    char map[64];
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (unshare(CLONE_NEWUSER) != 0) {
        give_up("make a user namespace (run as root, or allow users to make them)");
    }
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", (unsigned)gid);
    write_file("/proc/self/gid_map", map);
    own_users = true;
}

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static _Noreturn void wait_for(pid_t child)
{
    int status = 0;
    pid_t pid;

    do {
        pid = waitpid(-1, &status, 0);
    } while (pid != child && (pid >= 0 || errno == EINTR));
    _exit(pid == child ? exit_status(status) : 1);
}

// A parent that died before the call leaves us with no signal to come: the pipe tells.
static void die_with_parent(int parent_pipe)
{
    struct pollfd gone = {.fd = parent_pipe, .events = POLLIN};

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        give_up("ask to die with the parent");
    }
    if (poll(&gone, 1, 0) != 0) {
        _exit(1);
    }
    close(parent_pipe);
}

// Ctrl-C is for the program inside, which hears it too and may wish to end in order; who sends the
// signal to us ends us, and with us everything.
static void on_interrupt(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code <= 0) {
        _exit(128 + number);
    }
}

// NULL: as usual. A shell without job control has what it starts in the background ignore them.
static void hear_interrupts(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    if (handler != NULL) {
        action.sa_sigaction = handler;
        action.sa_flags = SA_SIGINFO;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);
}

static void mount_own_files(void)
{
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        give_up("make the mounts private");
    }
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) {
        give_up("mount a /proc for the lab's processes");
    }
    lab_files_mount();
}

void lab_init(void)
{
    int parent_pipe[2];
    char self[16] = "";

    if (geteuid() != 0 || unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) != 0) {
        become_root_of_own_users();
        if (unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) != 0) {
            give_up("make PID, mount, network and IPC namespaces");
        }
    }
    hear_interrupts(NULL);
    if (pipe2(parent_pipe, O_CLOEXEC) != 0) {
        give_up("make a pipe");
    }
    fflush(NULL);

    pid_t init = fork();
    if (init < 0) {
        give_up("fork");
    }
    if (init > 0) {
        close(parent_pipe[0]);
        hear_interrupts(on_interrupt);
        wait_for(init);
    }
    close(parent_pipe[1]);
    die_with_parent(parent_pipe[0]);

    pid_t program = fork();
    if (program < 0) {
        give_up("fork");
    }
    if (program > 0) {
        wait_for(program);
    }
    // /proc is still the outside's: it knows us by the PID that a user outside needs.
    if (readlink("/proc/self", self, sizeof self - 1) > 0) {
        outside_pid = (int)strtol(self, NULL, 10);
    }
    mount_own_files();
}

bool lab_has_users(void)
{
    return !own_users;
}

void lab_enter_options(char *out, size_t size)
{
    snprintf(out, size, "nsenter -t %d %s-m -p", outside_pid, own_users ? "-U " : "");
}
