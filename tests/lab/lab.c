// Nodes, links, waiting and failing: the frame of every test in the lab.
#include "tests/lab/lab.h"
#include "tests/lab/internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define DUMP_BYTES 4000 // of each log
#define ADDRESS_MS 10000
#define TEST_MAX_S 300 // a test that takes longer hangs

struct lab_node {
    char name[LAB_NAME_MAX];
    char dir[LAB_PATH_MAX];
    int net; // the network namespace
};

struct ending {
    void (*end)(void *arg);
    void *arg;
    struct ending *next;
};

static struct ending *endings; // last made first
static bool in_test, passed;
static const char *volatile awaited = "nothing yet"; // last, by LAB_WAIT
static _Thread_local int home_net = -1;              // of a thread that has entered a node

// ---- Life of a lab

void lab_files_mount(void)
{
    if (mount("lab", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0 ||
        mkdir(LAB_ROOT, 0755) != 0) {
        fprintf(stderr, "lab: cannot make " LAB_ROOT " on a tmpfs: %s\n", strerror(errno));
        _exit(1);
    }
}

void lab_files_unmount(void)
{
    (void)umount2("/run", MNT_DETACH);
}

void lab_at_clear(void (*end)(void *arg), void *arg)
{
    struct ending *ending = malloc(sizeof *ending);

    if (ending == NULL) {
        lab_fail("out of memory");
    }
    *ending = (struct ending){end, arg, endings};
    endings = ending;
}

void lab_clear(void)
{
    while (endings != NULL) {
        struct ending *ending = endings;

        endings = ending->next;
        ending->end(ending->arg);
        free(ending);
    }
    lab_files_unmount();
    lab_files_mount();
}

static void say(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

// With its namespace of processes everything ends that it has started.
static void on_test_hangs(int signal)
{
    void *frames[32];
    (void)signal;
    say("lab: this test has not ended within 300 s; what it last waited for is ");
    say(awaited);
    say(", and here is where it hangs (addr2line -e):\n");
    // NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c): it ends here, well or badly
    backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
    _exit(1);
}

static int test_setup(void **state)
{
    (void)state;
    signal(SIGALRM, on_test_hangs);
    alarm(TEST_MAX_S);
    in_test = true;
    passed = false;
    return 0;
}

void lab_test_run(void **state)
{
    const struct lab_test *test = *state;

    *state = NULL;
    test->run(state);
    passed = true;
}

static void keep(void)
{
    sigset_t interrupt;
    int signal;

    fprintf(stderr, "lab: kept; end it with Ctrl-C\n");
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, NULL);
    sigwait(&interrupt, &signal);
    sigprocmask(SIG_UNBLOCK, &interrupt, NULL);
}

static int test_teardown(void **state)
{
    (void)state;
    if (!passed) {
        lab_dump();
        if (getenv("KEEP") != NULL) {
            alarm(0);
            keep();
        }
    }
    in_test = false;
    lab_clear();
    alarm(0);
    return 0;
}

const struct test_fixture lab_test_fixture = {test_setup, test_teardown};

// ---- Nodes

static void node_end(void *arg)
{
    struct lab_node *node = arg;

    close(node->net);
    free(node);
}

static void node_make_dirs(struct lab_node *node)
{
    static const char *const names[] = {".", "run", "state"};
    char path[LAB_PATH_MAX];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        lab_path(node, names[i], path);
        if ((mkdir(path, 0777) != 0 && errno != EEXIST) || chmod(path, 0777) != 0) {
            lab_fail("make directory %s: %s", path, strerror(errno));
        }
    }
}

// Without it a v6 address of a new interface can't be used for a second.
static void node_skip_duplicate_detection(void)
{
    int fd = open("/proc/sys/net/ipv6/conf/default/accept_dad", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        (void)!write(fd, "0", 1);
        close(fd);
    }
}

static int open_own_net(void)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        lab_fail("open this thread's network namespace: %s", strerror(errno));
    }
    return fd;
}

struct lab_node *lab_node(const char *name)
{
    struct lab_node *node = calloc(1, sizeof *node);
    int home = open_own_net();

    assert(strlen(name) < LAB_NAME_MAX);
    if (node == NULL) {
        lab_fail("out of memory");
    }
    snprintf(node->name, sizeof node->name, "%s", name);
    snprintf(node->dir, sizeof node->dir, LAB_ROOT "/%s", name);
    if (mkdir(node->dir, 0777) != 0) {
        lab_fail("make directory %s of a new node: %s", node->dir, strerror(errno));
    }
    node_make_dirs(node);
    if (unshare(CLONE_NEWNET) != 0) {
        lab_fail("make a network namespace for node %s: %s", name, strerror(errno));
    }
    node->net = open_own_net();
    node_skip_duplicate_detection();
    if (setns(home, CLONE_NEWNET) != 0) {
        lab_fail("leave the namespace of node %s: %s", name, strerror(errno));
    }
    close(home);
    lab_at_clear(node_end, node);
    lab_ip(node, "link set dev lo up");
    return node;
}

const char *lab_name(const struct lab_node *node)
{
    return node->name;
}

const char *lab_dir(const struct lab_node *node)
{
    return node->dir;
}

const char *lab_path(const struct lab_node *node, const char *file, char out[LAB_PATH_MAX])
{
    int length = snprintf(out, LAB_PATH_MAX, "%s/%s", node->dir, file);

    if (length >= LAB_PATH_MAX) {
        lab_fail("path %s/%s is longer than a socket's may be", node->dir, file);
    }
    return out;
}

void lab_write(const struct lab_node *node, const char *file, const char *text)
{
    char path[LAB_PATH_MAX];
    FILE *stream = fopen(lab_path(node, file, path), "we");

    if (stream == NULL || fputs(text, stream) == EOF || fclose(stream) != 0) {
        lab_fail("write %s: %s", path, strerror(errno));
    }
}

static void add_addresses(struct lab_node *node, const char *interface, const char *addresses)
{
    char list[512], *rest = list, *address;

    assert(strlen(addresses) < sizeof list);
    snprintf(list, sizeof list, "%s", addresses);
    while ((address = strsep(&rest, " ")) != NULL) {
        if (address[0] != '\0') {
            lab_ip(node, "address add %s dev %s%s", address, interface,
                   strchr(address, ':') != NULL ? " nodad" : "");
        }
    }
}

void lab_link(struct lab_node *a, const char *addresses_a, struct lab_node *b,
              const char *addresses_b)
{
    lab_ip(a, "link add name %s type veth peer name %s netns /proc/%d/fd/%d", b->name, a->name,
           (int)getpid(), b->net);
    add_addresses(a, b->name, addresses_a);
    add_addresses(b, a->name, addresses_b);
    lab_ip(a, "link set dev %s up", b->name);
    lab_ip(b, "link set dev %s up", a->name);
}

static bool is_local(struct lab_node *node, const char *address)
{
    char host[64], output[256] = "";

    snprintf(host, sizeof host, "%.*s", (int)strcspn(address, "/"), address);
    return lab_run(node, LAB_ARGV("ip", "-6", "route", "show", "table", "local", host), output,
                   sizeof output) == 0 &&
           strstr(output, "local") != NULL;
}

// The kernel makes an IPv6 address's own route some time after the address.
void lab_address_add(struct lab_node *node, const char *address)
{
    char list[512], *rest = list, *one;

    add_addresses(node, "lo", address);
    snprintf(list, sizeof list, "%s", address);
    while ((one = strsep(&rest, " ")) != NULL) {
        LAB_WAIT(strchr(one, ':') == NULL || is_local(node, one), "the route to a new address",
                 ADDRESS_MS);
    }
}

void lab_address_delete(struct lab_node *node, const char *address)
{
    lab_ip(node, "address delete %s dev lo", address);
}

void lab_ip(struct lab_node *node, const char *format, ...)
{
    char line[512], words[512], output[512];
    char *rest = words;
    const char *argv[32] = {"ip"};
    size_t argc = 1;
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < sizeof line);
    memcpy(words, line, (size_t)length + 1);
    while (argc + 1 < sizeof argv / sizeof *argv && (argv[argc] = strsep(&rest, " ")) != NULL) {
        argc++;
    }
    argv[argc] = NULL;
    if (lab_run(node, argv, output, sizeof output) != 0) {
        lab_fail("ip %s, in node %s: %s", line, node->name, output);
    }
}

void lab_sysctl(struct lab_node *node, const char *variable, const char *value)
{
    char path[256];

    snprintf(path, sizeof path, "/proc/sys/%s", variable);
    lab_enter(node);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
    int error = errno;
    lab_leave();
    if (fd >= 0) {
        close(fd);
    }
    if (!written) {
        lab_fail("set %s to %s in node %s: %s", variable, value, node->name, strerror(error));
    }
}

void lab_enter(const struct lab_node *node)
{
    if (home_net < 0) {
        home_net = open_own_net();
    }
    // Not lab_fail(): this may be a child before exec, or another thread.
    if (setns(node->net, CLONE_NEWNET) != 0) {
        fprintf(stderr, "lab: cannot enter node %s: %s\n", node->name, strerror(errno));
        _exit(127);
    }
}

void lab_leave(void)
{
    assert(home_net >= 0);
    if (setns(home_net, CLONE_NEWNET) != 0) {
        lab_fail("leave a node: %s", strerror(errno));
    }
    close(home_net);
    home_net = -1;
}

int lab_socket(const struct lab_node *node, int domain, int type)
{
    lab_enter(node);
    int fd = socket(domain, type | SOCK_CLOEXEC, 0);
    int error = errno;
    lab_leave();

    if (fd < 0) {
        lab_fail("make a socket in node %s: %s", node->name, strerror(error));
    }
    return fd;
}

const char *lab_enter_command(const struct lab_node *node, char out[LAB_ENTER_MAX])
{
    char options[LAB_ENTER_MAX / 2];

    lab_enter_options(options, sizeof options);
    snprintf(out, LAB_ENTER_MAX, "%s nsenter --net=/proc/%d/fd/%d sh", options, (int)getpid(),
             node->net);
    return out;
}

// ---- Waiting and failing

uint64_t lab_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void lab_wait_step(uint64_t begin_ns, uint64_t timeout_ms, const char *what, const char *condition,
                   const char *file, int line)
{
    awaited = what;
    if (lab_now_ns() - begin_ns > timeout_ms * 1000000U) {
        lab_fail("%s:%d: waited %llu ms in vain for %s (%s)", file, line,
                 (unsigned long long)timeout_ms, what, condition);
    }
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void lab_bound(int fd, unsigned timeout_ms)
{
    struct timeval bound = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000L};

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
}

void lab_fail(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "lab: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    if (in_test) {
        fail();
    }
    lab_dump();
    exit(1);
}

static void dump_log(const char *node, const char *name)
{
    char path[512], bytes[DUMP_BYTES];

    snprintf(path, sizeof path, LAB_ROOT "/%s/%s", node, name);
    FILE *log = fopen(path, "re");
    if (log == NULL) {
        return;
    }
    if (fseek(log, -DUMP_BYTES, SEEK_END) != 0) {
        rewind(log);
    }
    size_t length = fread(bytes, 1, sizeof bytes, log);
    fprintf(stderr, "---- %s/%s\n%.*s", node, name, (int)length, bytes);
    fclose(log);
}

static void dump_node(struct lab_node *node)
{
    char command[LAB_ENTER_MAX];
    struct dirent *entry;
    DIR *dir = opendir(node->dir);

    if (getenv("KEEP") != NULL) {
        fprintf(stderr, "---- %s: %s\n", node->name, lab_enter_command(node, command));
    }
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        const char *suffix = strrchr(entry->d_name, '.');

        if (suffix != NULL && strcmp(suffix, ".log") == 0) {
            dump_log(node->name, entry->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

void lab_dump(void)
{
    for (const struct ending *ending = endings; ending != NULL; ending = ending->next) {
        if (ending->end == node_end) {
            dump_node(ending->arg);
        }
    }
}
