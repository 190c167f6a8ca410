// See body_search.h.
#include "probes/body_search.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct searching {
    struct aside_work work; // the first
    struct http_expected expected;
    bool matches;
    const char *problem;
    size_t length;
    char body[HTTP_REGEX_MAX + 1];
};

static void search_aside(struct aside_work *work)
{
    struct searching *searching = (struct searching *)work;
    int found = http_regex_search(&searching->expected, searching->body, searching->length);
    searching->matches = found == 1;
    searching->problem = found < 0 ? "out of memory (trouble of popgated's own)" : NULL;
}

static void drop_searching(struct aside_work *work)
{
    free(work);
}

static void on_done(void *owner, struct aside_work *work)
{
    struct body_search *search = owner;
    struct searching *searching = (struct searching *)work;
    bool wanted = search->wanted;
    bool matches = searching->matches;
    const char *problem = searching->problem;
    search->wanted = false;
    free(searching);
    if (wanted) {
        search->on_searched(search->owner, matches, problem);
    }
}

static void on_aside_free(void *owner)
{
    struct body_search *search = owner;
    search->on_free(search->owner);
}

int body_search_open(struct body_search *search, uv_loop_t *loop)
{
    search->aside = (struct aside){.owner = search, .on_done = on_done, .on_free = on_aside_free};
    return aside_open(&search->aside, loop);
}

void body_search_close(struct body_search *search)
{
    search->wanted = false;
    aside_close(&search->aside);
}

int body_search_begin(struct body_search *search, const struct http_expected *expected,
                      const char *body, size_t length)
{
    assert(!search->wanted);
    if (search->aside.work != NULL) {
        return UV_EBUSY;
    }
    struct searching *searching = malloc(sizeof *searching);
    if (searching == NULL) {
        return UV_ENOMEM;
    }
    searching->work = (struct aside_work){.run = search_aside, .drop = drop_searching};
    searching->expected = *expected;
    searching->length = length < HTTP_REGEX_MAX ? length : HTTP_REGEX_MAX;
    memcpy(searching->body, body, searching->length);
    searching->body[searching->length] = '\0';
    int error = aside_begin(&search->aside, &searching->work);
    if (error) {
        free(searching);
        return error;
    }
    search->wanted = true;
    return 0;
}

bool body_search_forget(struct body_search *search)
{
    bool wanted = search->wanted;
    search->wanted = false;
    return wanted;
}
