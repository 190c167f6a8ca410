// The secrets of a `token` probe, read aside: a disk that does not answer keeps only this probe
// waiting.
#pragma once

#include "probes/aside.h"
#include "probes/secret.h"
#include "probes/token_options.h"

// Zeroed but for the three of the owner it is closed.
struct token_secrets {
    struct secret client, given; // the client's, and the token of token_file
    void *owner;
    // what: which can't be read, because of problem; both NULL: all that is configured is there.
    void (*on_read)(void *owner, const char *what, const char *problem);
    void (*on_free)(void *owner); // after token_secrets_close(), from the loop

    const struct token_options *wanted; // a read is
    bool late;                          // it was asked for while an earlier one had not ended
    struct aside aside;
};

// 0 or a negative uv error, and it is closed.
int token_secrets_open(struct token_secrets *secrets, uv_loop_t *loop);
void token_secrets_close(struct token_secrets *secrets); // wipes them

// Reads what has changed since it was read last: on_read follows once, at once or later, unless it
// is forgotten. options must stay until then.
void token_secrets_read(struct token_secrets *secrets, const struct token_options *options);
bool token_secrets_forget(struct token_secrets *secrets); // Was it wanted?
