// Asking popgated: HTTP on its Unix socket, and what its answers mean for the exit status.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum exit_status {
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_USAGE,
    EXIT_NO_DAEMON,
    EXIT_REFUSED,
    EXIT_TIMED_OUT
};

struct answer {
    long status; // of HTTP
    char *text;
    size_t length;
    json_t *json; // NULL if it is none
};

// GET, or POST when there is a body. EXIT_DONE whenever there is an answer, whatever it says.
enum exit_status client_ask(const char *socket_path, const char *path, const char *body,
                            struct answer *answer);

// The same, but with that much time instead of the usual.
enum exit_status client_ask_within(const char *socket_path, const char *path, const char *body,
                                   long seconds, struct answer *answer);

// What an HTTP status means for the exit status; an error is said.
enum exit_status client_judge(const struct answer *answer);

// GET, and EXIT_DONE only if the answer is what was asked for.
enum exit_status client_get(const char *socket_path, const char *path, struct answer *answer);

// Does anybody listen there? Says nothing.
bool client_is_there(const char *socket_path);

void answer_clear(struct answer *answer);
