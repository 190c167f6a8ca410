// The programs under test: see popgated.h.
#include "tests/lab/popgated.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READY_MS  20000
#define STOP_MS   20000
#define WORDS_MAX 32

struct lab_popgated {
    struct lab_node *node;
    struct lab_process *process;
    int notify;
    size_t ready_before; // READY=1 of former runs
    int end;             // eventfd
    pthread_t reader;
    pthread_mutex_t lock; // of the next three
    char *noted;          // everything that came, one message per line
    size_t noted_length, noted_capacity;
};

const char *lab_popgated_config(const struct lab_node *node, const struct lab_bird *bird,
                                uint32_t local_as, const char *extra, char out[LAB_CONFIG_MAX])
{
    int length = snprintf(out, LAB_CONFIG_MAX,
                          "[pop]\nid = %s\nregion = " LAB_REGION "\n"
                          "state_dir = %s/state\nruntime_dir = %s/run\n\n"
                          "[bird]\nsocket = %s\nlocal_as = %u\n\n%s\n",
                          lab_name(node), lab_dir(node), lab_dir(node), lab_bird_socket(bird),
                          local_as, extra);

    if (length >= LAB_CONFIG_MAX) {
        lab_fail("popgated's configuration is longer than %d bytes", LAB_CONFIG_MAX);
    }
    return out;
}

// ---- Sd_notify

static int notify_socket(const struct lab_node *node)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    lab_path(node, "notify", address.sun_path);
    unlink(address.sun_path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(address.sun_path, 0666) != 0) {
        lab_fail("make notify socket %s: %s", address.sun_path, strerror(errno));
    }
    return fd;
}

static void note(struct lab_popgated *popgated, const char *message, size_t length)
{
    if (popgated->noted_length + length + 2 > popgated->noted_capacity) {
        popgated->noted_capacity = 2 * (popgated->noted_length + length + 2);
        popgated->noted = realloc(popgated->noted, popgated->noted_capacity);
        if (popgated->noted == NULL) {
            abort(); // what it said would be lost
        }
    }
    memcpy(popgated->noted + popgated->noted_length, message, length);
    popgated->noted_length += length;
    popgated->noted[popgated->noted_length++] = '\n';
    popgated->noted[popgated->noted_length] = '\0';
}

// On a thread, because sd_notify() would block popgated as soon as some messages wait unread.
static void *read_notes(void *arg)
{
    struct lab_popgated *popgated = arg;
    struct pollfd polled[] = {{.fd = popgated->end, .events = POLLIN},
                              {.fd = popgated->notify, .events = POLLIN}};
    char message[4096];

    while (poll(polled, 2, -1) > 0 && polled[0].revents == 0) {
        ssize_t got = recv(popgated->notify, message, sizeof message, 0);

        if (got > 0) {
            pthread_mutex_lock(&popgated->lock);
            note(popgated, message, (size_t)got);
            pthread_mutex_unlock(&popgated->lock);
        }
    }
    return NULL;
}

static void start_reader(struct lab_popgated *popgated)
{
    popgated->notify = notify_socket(popgated->node);
    popgated->end = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&popgated->lock, NULL);
    if (popgated->end < 0 || pthread_create(&popgated->reader, NULL, read_notes, popgated) != 0) {
        lab_fail("start a thread for popgated's notifications: %s", strerror(errno));
    }
}

size_t lab_popgated_notified(struct lab_popgated *popgated, const char *text)
{
    size_t count = 0;

    pthread_mutex_lock(&popgated->lock);
    for (const char *at = popgated->noted; at != NULL && (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    pthread_mutex_unlock(&popgated->lock);
    return count;
}

// ---- Life

static void popgated_end(void *arg)
{
    struct lab_popgated *popgated = arg;

    uint64_t one = 1;

    (void)!write(popgated->end, &one, sizeof one);
    pthread_join(popgated->reader, NULL);
    pthread_mutex_destroy(&popgated->lock);
    close(popgated->end);
    close(popgated->notify);
    free(popgated->noted);
    free(popgated);
}

static void wait_till_ready(struct lab_popgated *popgated)
{
    LAB_WAIT(lab_popgated_notified(popgated, "READY=1") > popgated->ready_before ||
                 !lab_running(popgated->process),
             "popgated to be ready", READY_MS);
    if (!lab_running(popgated->process)) {
        lab_fail("start popgated in node %s: it ended with status %d, see its log",
                 lab_name(popgated->node), lab_wait_exit(popgated->process, 0));
    }
}

static const char *program(const char *variable, const char *fallback)
{
    const char *path = getenv(variable);

    return path != NULL ? path : fallback;
}

const char *lab_popgated_program(void)
{
    return program("POPGATED", "build/popgated");
}

const char *lab_popgate_program(void)
{
    return program("POPGATE", "build/popgate");
}

const char *lab_program_for_all(struct lab_node *node, const char *path, char out[LAB_PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    lab_path(node, slash != NULL ? slash + 1 : path, out);
    if (lab_run(node, LAB_ARGV("install", "-m", "755", path, out), NULL, 0) != 0) {
        lab_fail("copy %s to %s: see whether it is built", path, out);
    }
    return out;
}

struct lab_popgated *lab_popgated_start(struct lab_node *node, const char *config)
{
    return lab_popgated_start_as(node, config, 0);
}

struct lab_popgated *lab_popgated_start_as(struct lab_node *node, const char *config, uid_t user)
{
    struct lab_popgated *popgated = calloc(1, sizeof *popgated);
    char file[LAB_PATH_MAX], environment[LAB_PATH_MAX + 32], socket_path[LAB_PATH_MAX];
    char copy[LAB_PATH_MAX];

    if (popgated == NULL) {
        lab_fail("out of memory");
    }
    popgated->node = node;
    start_reader(popgated);
    lab_at_clear(popgated_end, popgated);
    lab_write(node, "popgate.conf", config);
    snprintf(environment, sizeof environment, "NOTIFY_SOCKET=%s",
             lab_path(node, "notify", socket_path));
    struct lab_command command = {
        .name = "popgated",
        .argv = LAB_ARGV(user == 0 ? lab_popgated_program()
                                   : lab_program_for_all(node, lab_popgated_program(), copy),
                         "--config", lab_path(node, "popgate.conf", file)),
        .environment = LAB_ARGV(environment),
        .user = user,
    };
    popgated->process = lab_spawn(node, &command);
    wait_till_ready(popgated);
    return popgated;
}

struct lab_process *lab_popgated_process(struct lab_popgated *popgated)
{
    return popgated->process;
}

void lab_popgated_kill(struct lab_popgated *popgated)
{
    lab_kill(popgated->process);
}

int lab_popgated_stop(struct lab_popgated *popgated)
{
    lab_signal(popgated->process, SIGTERM);
    return lab_wait_exit(popgated->process, STOP_MS);
}

void lab_popgated_restart(struct lab_popgated *popgated)
{
    popgated->ready_before = lab_popgated_notified(popgated, "READY=1");
    lab_respawn(popgated->process);
    wait_till_ready(popgated);
}

void lab_popgated_reload(struct lab_popgated *popgated, const char *config)
{
    lab_write(popgated->node, "popgate.conf", config);
    lab_signal(popgated->process, SIGHUP);
}

int lab_popgate(struct lab_node *node, char output[LAB_OUTPUT_MAX], const char *const words[])
{
    char socket_path[LAB_PATH_MAX];
    const char *argv[WORDS_MAX] = {lab_popgate_program(), "--socket",
                                   lab_path(node, "run/popgate.sock", socket_path)};
    size_t argc = 3;

    for (; *words != NULL; words++) {
        assert(argc + 1 < WORDS_MAX);
        argv[argc++] = *words;
    }
    return lab_run(node, argv, output, LAB_OUTPUT_MAX);
}
