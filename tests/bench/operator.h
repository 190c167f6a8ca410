// The two ways in which an operator withdraws: by popgated's API, and by hand on BIRD's control
// socket. Both note the time right before the first byte is written.
#pragma once

#include "tests/lab/bird.h"
#include "tests/lab/lab.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static inline int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        lab_fail("connect to %s: %s", path, strerror(errno));
    }
    return fd;
}

static inline void write_text(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        lab_fail("write to a control socket: %s", strerror(errno));
    }
}

// ---- By hand

// Reads up to the end of BIRD's reply: a line whose code is followed by a space.
static inline void hand_read_reply(int hand)
{
    char bytes[4096];
    size_t at = 0; // in the line
    char mark = ' ', byte = ' ';

    do {
        ssize_t got = read(hand, bytes, sizeof bytes);

        if (got <= 0) {
            lab_fail("read BIRD's reply to a command typed by hand: %s", strerror(errno));
        }
        for (ssize_t i = 0; i < got; i++) {
            byte = bytes[i];
            mark = at == 0 && byte == ' ' ? '-' : at == 4 ? byte : mark;
            at = byte == '\n' ? 0 : at + 1;
        }
    } while (byte != '\n' || mark != ' ');
}

// A connection that BIRD has greeted; close() it.
static inline int hand_open(const struct lab_bird *bird)
{
    int hand = dial(lab_bird_socket(bird));

    hand_read_reply(hand);
    return hand;
}

// Types a line (with its newline). Returns when; hand_read_reply() has to follow.
static inline uint64_t hand_type(int hand, const char *line)
{
    uint64_t ns = lab_now_ns();

    write_text(hand, line);
    return ns;
}

// ---- Popgated's API
// --------------------------------------------------------------------------------

// One request; the answer, which must be 200, is the caller's to json_decref(). written_ns may be
// NULL.
static inline json_t *api_ask(const struct lab_node *node, const char *method, const char *target,
                              const char *body, uint64_t *written_ns)
{
    char path[LAB_PATH_MAX], request[512];
    char *answer = NULL;
    size_t length = 0;
    int fd = dial(lab_path(node, "run/popgate.sock", path));
    FILE *stream = open_memstream(&answer, &length);
    char bytes[65536];
    ssize_t got;

    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\nHost: pop\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             method, target, strlen(body), body);
    if (written_ns != NULL) {
        *written_ns = lab_now_ns();
    }
    write_text(fd, request);
    while ((got = read(fd, bytes, sizeof bytes)) > 0) {
        fwrite(bytes, 1, (size_t)got, stream);
    }
    fclose(stream);
    close(fd);
    if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0) {
        lab_fail("%s %s: popgated answers: %.500s", method, target, answer);
    }
    json_t *json = json_loads(strstr(answer, "\r\n\r\n"), 0, NULL);
    if (json == NULL) {
        lab_fail("%s %s: popgated's answer is no JSON: %.500s", method, target, answer);
    }
    free(answer);
    return json;
}

// Returns when the request was written.
static inline uint64_t api_change(const struct lab_node *node, const char *verb,
                                  const char *services)
{
    char target[64], body[256];
    uint64_t written_ns = 0;

    snprintf(target, sizeof target, "/v1/%s", verb);
    snprintf(body, sizeof body, "{%s,\"reason\":\"benchmark\"}", services);
    json_decref(api_ask(node, "POST", target, body, &written_ns));
    return written_ns;
}

// The number of the next event: a mark for api_decided_ns().
static inline json_int_t api_next_event(const struct lab_node *node)
{
    json_t *answer = api_ask(node, "GET", "/v1/events?since=1000000000", "", NULL);
    const json_int_t next = json_integer_value(json_object_get(answer, "next"));

    json_decref(answer);
    return next;
}

// When the first withdrawal since mark was decided, by the clock of lab_now_ns().
static inline uint64_t api_decided_ns(const struct lab_node *node, json_int_t mark)
{
    char target[64];
    uint64_t decided_ns = 0;
    size_t i;
    json_t *event;

    snprintf(target, sizeof target, "/v1/events?since=%lld", (long long)mark);
    json_t *answer = api_ask(node, "GET", target, "", NULL);
    json_array_foreach(json_object_get(answer, "events"), i, event)
    {
        const char *to = json_string_value(json_object_get(event, "to"));

        if (decided_ns == 0 && to != NULL && strcmp(to, "withdraw") == 0) {
            decided_ns = (uint64_t)json_integer_value(json_object_get(event, "at_monotonic_ns"));
        }
    }
    json_decref(answer);
    if (decided_ns == 0) {
        lab_fail("find the decision to withdraw among popgated's events since %lld",
                 (long long)mark);
    }
    return decided_ns;
}
