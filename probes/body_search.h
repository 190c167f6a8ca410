// A search for a regular expression, aside: what it costs depends on the body, which a hostile
// server chooses. Expressions of some forms take a second for a few kilobytes.
//
// Promises: one search at a time and one thread for each of these; the expression is compiled anew
// for each, so that what the library keeps of one body is gone with it.
#pragma once

#include "probes/aside.h"
#include "probes/http_match.h"

// Zeroed but for the three of the owner it is closed.
struct body_search {
    void *owner;
    // problem: there was no memory for it; NULL: matches is the result.
    void (*on_searched)(void *owner, bool matches, const char *problem);
    void (*on_free)(void *owner); // after body_search_close(), from the loop

    bool wanted; // the search under way
    struct aside aside;
};

// 0 or a negative uv error, and it is closed.
int body_search_open(struct body_search *search, uv_loop_t *loop);
void body_search_close(struct body_search *search);

// Begins to search the body for expected->body_regex; both may be gone when this has returned.
// on_searched follows once, later, unless it is forgotten. 0 or a negative uv error: UV_EBUSY when
// one that was forgotten has not ended.
int body_search_begin(struct body_search *search, const struct http_expected *expected,
                      const char *body, size_t length);
bool body_search_forget(struct body_search *search); // Was it wanted?
