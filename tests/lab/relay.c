// A relay at a BIRD's control socket: see relay.h. One thread owns all connections. It hands BIRD
// one question at a time, so that what the relay answers itself stands where it belongs.
#include "tests/lab/relay.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS 32
#define BUFFER      8192
#define TURN_MS     5 // between two pieces of a reply that goes on and on
#define CODE_LENGTH 5 // "0000 " is the end of a reply, "0000-" is not

enum { SIDE_CLIENT, SIDE_BIRD, SIDES };

struct connection {
    int fds[SIDES];     // -1: no such connection
    char asked[BUFFER]; // of the client, not yet handed on
    char said[BUFFER];  // to the client, not yet written
    size_t asked_length, said_length;
    bool awaits;              // BIRD owes the end of a reply; its greeting is one
    bool goes_on;             // a reply of ours has begun
    bool met;                 // the first line of asked has been counted
    char begins[CODE_LENGTH]; // the line that BIRD is saying
    size_t line_length;
};

struct lab_relay {
    struct lab_bird *bird;
    char path[LAB_PATH_MAX]; // BIRD's own
    int listener, wake;      // wake: eventfd
    pthread_t thread;
    pthread_mutex_t lock; // of the next five
    const char *words;    // NULL: no rule
    enum lab_relay_way way;
    const char *text;
    size_t met;
    bool ends;

    struct connection connections[CONNECTIONS]; // the thread's own
};

// ---- Connections

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool is_open(const struct connection *connection)
{
    return connection->fds[SIDE_CLIENT] >= 0;
}

static void hang_up(struct connection *connection)
{
    close(connection->fds[SIDE_CLIENT]);
    close(connection->fds[SIDE_BIRD]);
    connection->fds[SIDE_CLIENT] = connection->fds[SIDE_BIRD] = -1;
}

static void take_in(struct lab_relay *relay)
{
    int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    int bird = dial(relay->path);

    for (size_t i = 0; i < CONNECTIONS && client >= 0 && bird >= 0; i++) {
        if (!is_open(&relay->connections[i])) {
            relay->connections[i] = (struct connection){.fds = {client, bird}, .awaits = true};
            return;
        }
    }
    close(client); // no BIRD there, or no place
    close(bird);
}

// ---- What is said

static void say(struct connection *connection, const char *text)
{
    size_t length = strlen(text);

    if (connection->said_length + length <= sizeof connection->said) {
        memcpy(connection->said + connection->said_length, text, length);
        connection->said_length += length;
    }
}

// Bytes of BIRD's: has a reply come to its end? Log lines, which begin with "+", end none.
static void look_for_end(struct connection *connection, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (connection->line_length < CODE_LENGTH) {
            connection->begins[connection->line_length] = bytes[i];
        }
        connection->line_length++;
        if (bytes[i] == '\n') {
            if (connection->line_length > CODE_LENGTH && connection->begins[4] == ' ' &&
                isdigit((unsigned char)connection->begins[0])) {
                connection->awaits = false;
            }
            connection->line_length = 0;
        }
    }
}

static void hear_bird(struct connection *connection)
{
    char *end = connection->said + connection->said_length;
    ssize_t got = recv(connection->fds[SIDE_BIRD], end,
                       sizeof connection->said - connection->said_length, MSG_DONTWAIT);

    if (got > 0) {
        look_for_end(connection, end, (size_t)got);
        connection->said_length += (size_t)got;
    } else if (got == 0 || errno != EAGAIN) {
        hang_up(connection);
    }
}

static void hear_client(struct connection *connection)
{
    ssize_t got = recv(connection->fds[SIDE_CLIENT], connection->asked + connection->asked_length,
                       sizeof connection->asked - connection->asked_length, MSG_DONTWAIT);

    if (got > 0) {
        connection->asked_length += (size_t)got;
    } else if (got == 0 || errno != EAGAIN) {
        hang_up(connection);
    }
}

static void tell_client(struct connection *connection)
{
    ssize_t sent = send(connection->fds[SIDE_CLIENT], connection->said, connection->said_length,
                        MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent > 0) {
        connection->said_length -= (size_t)sent;
        memmove(connection->said, connection->said + sent, connection->said_length);
    } else if (errno != EAGAIN) {
        hang_up(connection);
    }
}

// ---- What is asked

static void drop_line(struct connection *connection, size_t length)
{
    connection->asked_length -= length;
    memmove(connection->asked, connection->asked + length, connection->asked_length);
    connection->met = false;
}

static void hand_on(struct connection *connection, size_t length)
{
    // What popgated has outstanding fits into BIRD's buffer, so this does not wait.
    (void)send(connection->fds[SIDE_BIRD], connection->asked, length, MSG_NOSIGNAL);
    connection->awaits = true;
    drop_line(connection, length);
}

// False when it has to wait: for the rule to go, or for the next turn.
static bool treat(struct lab_relay *relay, struct connection *connection, size_t length)
{
    relay->met += !connection->met;
    connection->met = true;
    if (relay->way == LAB_RELAY_PRETENDS) {
        say(connection, relay->text);
        drop_line(connection, length);
        return true;
    }
    if (relay->way == LAB_RELAY_GOES_ON && connection->said_length == 0) {
        say(connection, relay->text);
        connection->goes_on = true;
    }
    return false;
}

// The questions that can be dealt with now. With the lock held.
static void deal_with_questions(struct lab_relay *relay, struct connection *connection)
{
    const char *newline;

    while (!connection->awaits &&
           (newline = memchr(connection->asked, '\n', connection->asked_length)) != NULL) {
        size_t length = (size_t)(newline + 1 - connection->asked);
        bool ruled = relay->words != NULL && strlen(relay->words) <= length &&
                     memcmp(connection->asked, relay->words, strlen(relay->words)) == 0;
        if (ruled && !treat(relay, connection, length)) {
            return;
        }
        if (!ruled && connection->goes_on) {
            say(connection, "0000 \n");
            connection->goes_on = false;
            drop_line(connection, length);
        } else if (!ruled) {
            hand_on(connection, length);
        }
    }
}

// ---- The thread

// Its question is withheld: BIRD's log lines are as well.
static bool is_mute(const struct lab_relay *relay, const struct connection *connection)
{
    return connection->met && !connection->goes_on && relay->words != NULL;
}

static size_t watch_all(struct lab_relay *relay, struct pollfd *polled)
{
    size_t count = 0;

    polled[count++] = (struct pollfd){.fd = relay->wake, .events = POLLIN};
    polled[count++] = (struct pollfd){.fd = relay->listener, .events = POLLIN};
    for (size_t i = 0; i < CONNECTIONS; i++) {
        const struct connection *connection = &relay->connections[i];
        bool room = connection->said_length < sizeof connection->said / 2;
        bool asks = connection->asked_length < sizeof connection->asked;
        polled[count++] = (struct pollfd){
            .fd = connection->fds[SIDE_CLIENT],
            .events = (short)((asks ? POLLIN : 0) | (connection->said_length > 0 ? POLLOUT : 0))};
        polled[count++] = (struct pollfd){
            .fd = room && !is_mute(relay, connection) ? connection->fds[SIDE_BIRD] : -1,
            .events = POLLIN};
    }
    return count;
}

static void serve(struct connection *connection, const struct pollfd polled[SIDES])
{
    if (polled[SIDE_BIRD].revents != 0) {
        hear_bird(connection);
    }
    if (is_open(connection) && (polled[SIDE_CLIENT].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        hear_client(connection);
    }
    if (is_open(connection) && (polled[SIDE_CLIENT].revents & POLLOUT) != 0) {
        tell_client(connection);
    }
}

// Returns the time until the next turn, or -1: when something comes.
static int serve_all(struct lab_relay *relay, const struct pollfd *polled)
{
    int turn_ms = -1;

    for (size_t i = 0; i < CONNECTIONS; i++) {
        struct connection *connection = &relay->connections[i];
        if (is_open(connection)) {
            serve(connection, &polled[SIDES * i]);
        }
        if (is_open(connection)) {
            deal_with_questions(relay, connection);
        }
        if (is_open(connection) && connection->goes_on) {
            turn_ms = TURN_MS;
        }
    }
    return turn_ms;
}

static void *relay_main(void *arg)
{
    struct lab_relay *relay = arg;
    struct pollfd polled[2 + SIDES * CONNECTIONS];
    int turn_ms = -1;
    uint64_t woken;

    pthread_mutex_lock(&relay->lock);
    while (!relay->ends) {
        size_t count = watch_all(relay, polled);
        pthread_mutex_unlock(&relay->lock);
        if (turn_ms > 0) {
            poll(NULL, 0, turn_ms); // the client may be ready all the time
        }
        (void)poll(polled, count, turn_ms > 0 ? 0 : -1);
        if (polled[0].revents != 0) {
            (void)!read(relay->wake, &woken, sizeof woken);
        }
        if ((polled[1].revents & POLLIN) != 0) {
            take_in(relay);
        }
        pthread_mutex_lock(&relay->lock);
        turn_ms = serve_all(relay, polled + 2);
    }
    pthread_mutex_unlock(&relay->lock);
    return NULL;
}

// ---- The test's

static void wake(const struct lab_relay *relay)
{
    uint64_t one = 1;

    (void)!write(relay->wake, &one, sizeof one);
}

static void set_rule(struct lab_relay *relay, const char *words, enum lab_relay_way way,
                     const char *text)
{
    pthread_mutex_lock(&relay->lock);
    relay->words = words;
    relay->way = way;
    relay->text = text;
    pthread_mutex_unlock(&relay->lock);
    wake(relay);
}

void lab_relay_rule(struct lab_relay *relay, const char *words, enum lab_relay_way way,
                    const char *text)
{
    set_rule(relay, words, way, text);
}

void lab_relay_no_rule(struct lab_relay *relay)
{
    set_rule(relay, NULL, LAB_RELAY_WITHHOLDS, NULL);
}

size_t lab_relay_met(struct lab_relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    size_t met = relay->met;
    pthread_mutex_unlock(&relay->lock);
    return met;
}

static void relay_end(void *arg)
{
    struct lab_relay *relay = arg;

    pthread_mutex_lock(&relay->lock);
    relay->ends = true;
    pthread_mutex_unlock(&relay->lock);
    wake(relay);
    pthread_join(relay->thread, NULL);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (is_open(&relay->connections[i])) {
            hang_up(&relay->connections[i]);
        }
    }
    close(relay->listener);
    close(relay->wake);
    pthread_mutex_destroy(&relay->lock);
    free(relay);
}

static int listen_at(const struct lab_node *node, char path[LAB_PATH_MAX])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    lab_path(node, "relay.ctl", path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, CONNECTIONS) != 0) {
        lab_fail("listen at %s: %s", path, strerror(errno));
    }
    return fd;
}

struct lab_relay *lab_relay_start(struct lab_bird *bird)
{
    struct lab_relay *relay = calloc(1, sizeof *relay);
    char path[LAB_PATH_MAX];

    if (relay == NULL) {
        lab_fail("out of memory");
    }
    snprintf(relay->path, sizeof relay->path, "%s", lab_bird_socket(bird));
    relay->listener = listen_at(lab_bird_node(bird), path);
    relay->wake = eventfd(0, EFD_CLOEXEC);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        relay->connections[i].fds[SIDE_CLIENT] = relay->connections[i].fds[SIDE_BIRD] = -1;
    }
    pthread_mutex_init(&relay->lock, NULL);
    if (relay->wake < 0 || pthread_create(&relay->thread, NULL, relay_main, relay) != 0) {
        lab_fail("start a thread for a relay: %s", strerror(errno));
    }
    lab_bird_behind(bird, path);
    lab_at_clear(relay_end, relay);
    return relay;
}
