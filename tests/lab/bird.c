// Real BIRDs: see bird.h. The control socket is spoken to plainly and blocking, a connection per
// command: independent of the client that is under test.
#include "tests/lab/bird.h"

#include "controller/core/birdconf.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define START_MS   10000
#define COMMAND_MS 30000
#define BARRIER_MS 10000
#define MARKER     "203.0.113.255/32"

struct lab_bird {
    struct lab_node *node;
    struct lab_process *process;
    char socket[LAB_PATH_MAX];
    char before[LAB_PATH_MAX]; // where clients find it
    char *reply;
    size_t reply_length, reply_capacity;
};

// ---- Control socket

static int dial(const struct lab_bird *bird)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", bird->socket);
    lab_bound(fd, COMMAND_MS); // where nobody accepts, connect() waits, too
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

// Has the reply come to its last line, "NNNN text"?
static bool reply_is_whole(const struct lab_bird *bird)
{
    const char *end = bird->reply + bird->reply_length;

    if (bird->reply_length < 6 || end[-1] != '\n') {
        return false;
    }
    const char *line = end - 1;
    while (line > bird->reply && line[-1] != '\n') {
        line--;
    }
    return end - line >= 6 && strspn(line, "0123456789") == 4 && line[4] == ' ';
}

static void reply_make_room(struct lab_bird *bird)
{
    if (bird->reply_length + 4096 > bird->reply_capacity) {
        bird->reply_capacity = 2 * bird->reply_capacity + 8192;
        bird->reply = realloc(bird->reply, bird->reply_capacity);
        if (bird->reply == NULL) {
            lab_fail("out of memory");
        }
    }
}

// Reads one whole reply; false when the connection ends before, or nothing comes.
static bool read_reply(struct lab_bird *bird, int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    bird->reply_length = 0;
    do {
        reply_make_room(bird);
        if (poll(&readable, 1, COMMAND_MS) != 1) {
            return false;
        }
        ssize_t got = recv(fd, bird->reply + bird->reply_length, 4095, 0);
        if (got <= 0) {
            return false;
        }
        bird->reply_length += (size_t)got;
        bird->reply[bird->reply_length] = '\0';
    } while (!reply_is_whole(bird));
    return true;
}

static bool answers(struct lab_bird *bird)
{
    int fd = dial(bird);
    bool greeted = fd >= 0 && read_reply(bird, fd);

    if (fd >= 0) {
        close(fd);
    }
    return greeted;
}

const char *lab_birdc(struct lab_bird *bird, const char *command)
{
    int fd = dial(bird);

    if (fd < 0) {
        lab_fail("say `%s` to BIRD in node %s: connect to %s: %s", command, lab_name(bird->node),
                 bird->socket, strerror(errno));
    }
    if (!read_reply(bird, fd) || dprintf(fd, "%s\n", command) < 0 || !read_reply(bird, fd)) {
        lab_fail("say `%s` to BIRD in node %s: no whole reply within %d ms", command,
                 lab_name(bird->node), COMMAND_MS);
    }
    close(fd);
    return bird->reply;
}

uint64_t lab_bird_imported(struct lab_bird *bird, const char *protocol)
{
    char command[128];
    uint64_t sum = 0;

    snprintf(command, sizeof command, "show protocols all \"%s\"", protocol);
    for (const char *at = lab_birdc(bird, command); (at = strstr(at, "Routes:")) != NULL; at++) {
        sum += strtoull(at + strlen("Routes:"), NULL, 10);
    }
    return sum;
}

bool lab_bird_established(struct lab_bird *bird, const char *session)
{
    char command[128];

    snprintf(command, sizeof command, "show protocols \"%s\"", session);
    return strstr(lab_birdc(bird, command), "Established") != NULL;
}

// ---- Life

const char *lab_bird_program(void)
{
    const char *program = getenv("BIRD");

    return program != NULL && program[0] != '\0' ? program : "bird";
}

const char *lab_birdc_program(char out[LAB_PATH_MAX])
{
    const char *bird = lab_bird_program();
    const char *slash = strrchr(bird, '/');

    snprintf(out, LAB_PATH_MAX, "%.*sbirdc", slash != NULL ? (int)(slash + 1 - bird) : 0, bird);
    return out;
}

static void bird_end(void *arg)
{
    struct lab_bird *bird = arg;

    free(bird->reply);
    free(bird);
}

static void wait_till_it_answers(struct lab_bird *bird)
{
    LAB_WAIT(answers(bird) || !lab_running(bird->process), "BIRD to answer", START_MS);
    if (!lab_running(bird->process)) {
        lab_fail("start BIRD in node %s: it ended with status %d, see its log",
                 lab_name(bird->node), lab_wait_exit(bird->process, 0));
    }
}

struct lab_bird *lab_bird_start(struct lab_node *node, const char *config)
{
    struct lab_bird *bird = calloc(1, sizeof *bird);
    char file[LAB_PATH_MAX], pid_file[LAB_PATH_MAX];

    if (bird == NULL) {
        lab_fail("out of memory");
    }
    lab_at_clear(bird_end, bird);
    bird->node = node;
    lab_bird_behind(bird, lab_path(node, "bird.ctl", bird->socket));
    lab_bird_write(bird, config);
    struct lab_command command = {
        .name = "bird",
        .argv = LAB_ARGV(lab_bird_program(), "-f", "-c", lab_path(node, "bird.conf", file), "-s",
                         bird->socket, "-P", lab_path(node, "bird.pid", pid_file)),
    };
    bird->process = lab_spawn(node, &command);
    wait_till_it_answers(bird);
    return bird;
}

struct lab_process *lab_bird_process(struct lab_bird *bird)
{
    return bird->process;
}

struct lab_node *lab_bird_node(const struct lab_bird *bird)
{
    return bird->node;
}

const char *lab_bird_socket(const struct lab_bird *bird)
{
    return bird->before;
}

void lab_bird_behind(struct lab_bird *bird, const char *socket)
{
    snprintf(bird->before, sizeof bird->before, "%s", socket);
}

void lab_bird_kill(struct lab_bird *bird)
{
    lab_kill(bird->process);
}

void lab_bird_restart(struct lab_bird *bird)
{
    lab_kill(bird->process);
    lab_respawn(bird->process);
    wait_till_it_answers(bird);
}

void lab_bird_write(struct lab_bird *bird, const char *config)
{
    lab_write(bird->node, "bird.conf", config);
}

// ---- The usual router

static void write_neighbor(FILE *out, const struct lab_router *router,
                           const struct lab_neighbor *neighbor)
{
    const char *exports = neighbor->exports != NULL ? neighbor->exports : LAB_EXPORT;

    fprintf(out,
            "protocol bgp %s {\n"
            "  local %s as %u;\n"
            "  neighbor %s as %u;\n"
            "  connect delay time 1; connect retry time 1; error wait time 1, 1;\n"
            "  direct; %s" // iBGP too: there is no IGP that would find the next hops
            "  ipv4 { import all; export %s; next hop self; };\n"
            "  ipv6 { import all; export %s; next hop self; };\n"
            "}\n",
            neighbor->name, neighbor->local, router->as, neighbor->remote, neighbor->as,
            neighbor->passive ? "passive;\n" : "\n", exports, exports);
}

const char *lab_router_config(const struct lab_node *node, const struct lab_router *router,
                              char out[LAB_CONFIG_MAX])
{
    FILE *stream = fmemopen(out, LAB_CONFIG_MAX, "w");
    char run[LAB_PATH_MAX], line[BIRDCONF_LINE_MAX];

    snprintf(run, sizeof run, "%s/run", lab_dir(node));
    if (stream == NULL) {
        lab_fail("out of memory");
    }
    fprintf(stream,
            "log stderr all;\n"
            "router id %s;\n"
            "protocol device { }\n"
            "protocol static lab_marker { disabled; ipv4; route " MARKER " blackhole; }\n"
            "%s\n",
            router->id, birdconf_include_line(run, line));
    if (router->direct_lo) {
        fprintf(stream, "protocol direct { ipv4; ipv6; interface \"lo\"; }\n");
    }
    for (size_t i = 0; i < LAB_NEIGHBORS && router->neighbors[i].name != NULL; i++) {
        write_neighbor(stream, router, &router->neighbors[i]);
    }
    fprintf(stream, "%s\n", router->extra != NULL ? router->extra : "");
    if (fclose(stream) != 0) {
        lab_fail("a router's configuration is longer than %d bytes", LAB_CONFIG_MAX);
    }
    return out;
}

// Said until it is seen: a `configure` at the same time would switch the marker off again.
static bool marker_moves(struct lab_bird *bird, struct tap *tap, bool there)
{
    lab_birdc(bird, there ? "enable lab_marker" : "disable lab_marker");
    return tap_has(tap, MARKER) == there;
}

void lab_barrier(struct lab_bird *bird, struct tap *tap)
{
    LAB_WAIT(marker_moves(bird, tap, true), "the marker route to come", BARRIER_MS);
    LAB_WAIT(marker_moves(bird, tap, false), "the marker route to go", BARRIER_MS);
}
