// What changes something: a verb's request, made of the options, and waiting until BIRD is seen to
// do it.
#include "controller/cli/commands.h"

#include "base/clock.h"
#include "controller/cli/reading.h"
#include "controller/cli/show.h"

#include <stdlib.h>
#include <string.h>

#define POLL_MS 100

static json_t *names_of(const struct options *options)
{
    json_t *names = json_array();
    for (size_t i = 0; i < options->service_count; i++) {
        json_array_append_new(names, json_string(options->services[i]));
    }
    return names;
}

// The request's body, malloc'd; NULL when out of memory.
static char *change_body(const struct options *options)
{
    json_t *body = json_object();
    if (options->service_count > 0) {
        json_object_set_new(body, field_rows[FIELD_SERVICES].name, names_of(options));
    }
    for (unsigned field = FIELD_SERVICES + 1; field < FIELDS; field++) {
        const char *value = options->values[field];
        if (value != NULL) {
            json_object_set_new(body, field_rows[field].name,
                                field_rows[field].kind == FIELD_FLAG ? json_true()
                                                                     : json_string(value));
        }
    }
    char *text = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return text;
}

static bool is_concerned(const struct options *options, const json_t *service)
{
    const char *name = words(service, "name");
    for (size_t i = 0; i < options->service_count; i++) {
        if (strcmp(options->services[i], name) == 0) {
            return true;
        }
    }
    return is_given(options, FIELD_ALL);
}

// Says one sentence for each service concerned; returns whether all are seen as they are to be.
static bool all_seen(const struct options *options, const json_t *status, bool say)
{
    struct show show = {.out = stdout, .width = 80};
    size_t i;
    json_t *service;
    bool all = true;
    json_array_foreach(at(status, "services"), i, service)
    {
        if (is_concerned(options, service)) {
            all = all && yes(service, "seen");
            if (say) {
                show_sentence(&show, status, service);
            }
        }
    }
    return all;
}

static uint64_t now_ms(void)
{
    return clock_monotonic_ns() / NS_PER_MS;
}

// Waits until BIRD is seen to do what the services' targets say.
static enum exit_status wait_seen(const struct options *options)
{
    uint64_t until_ms = now_ms() + options->wait_ms;
    for (;;) {
        struct answer answer;
        enum exit_status result = client_get(options->socket, "/v1/status", &answer);
        bool seen = result == EXIT_DONE && all_seen(options, answer.json, false);
        bool over = now_ms() >= until_ms;
        if (result == EXIT_DONE && (seen || over)) {
            if (options->json) {
                fputs(answer.text, stdout);
            } else {
                all_seen(options, answer.json, true);
            }
        }
        answer_clear(&answer);
        if (result != EXIT_DONE || seen) {
            return result;
        }
        if (over) {
            fputs("popgate: it was done, but BIRD is not seen to do it yet: look at popgate "
                  "explain\n",
                  stderr);
            return EXIT_TIMED_OUT;
        }
        pause_ms(POLL_MS);
    }
}

static enum exit_status post(const struct options *options, const char *verb, const char *body)
{
    struct answer answer;
    char path[64];
    snprintf(path, sizeof path, "/v1/%s", verb);
    enum exit_status result = client_ask(options->socket, path, body, &answer);
    if (result == EXIT_DONE) {
        result = client_judge(&answer);
    }
    if (options->json && !is_given(options, OPTION_WAIT) && answer.json != NULL) {
        fputs(answer.text, stdout);
    } else if (result == EXIT_DONE && !options->json) {
        const char *message = words(answer.json, "message");
        show_line(stdout, "%s", message[0] != '\0' ? message : "done");
    }
    answer_clear(&answer);
    return result;
}

enum exit_status do_change(const struct options *options, const char *verb)
{
    if (is_given(options, FIELD_ALL) == (options->service_count > 0)) {
        show_line(stderr, "popgate %s: name the services, or say --all", verb);
        return EXIT_USAGE;
    }
    char *body = change_body(options);
    if (body == NULL) {
        fputs("popgate: out of memory\n", stderr);
        return EXIT_FAILED;
    }
    enum exit_status result = post(options, verb, body);
    free(body);
    bool done = result == EXIT_DONE || result == EXIT_TIMED_OUT; // what BIRD has not confirmed, too
    return done && is_given(options, OPTION_WAIT) ? wait_seen(options) : result;
}

// Has BIRD popgate's file as it is now? False, and *result, when it has not and will not by itself.
static bool is_loaded(const json_t *status, enum exit_status *result)
{
    const json_t *include = at(status, "include");
    const char *state = words(include, "state");
    bool saved = yes(include, "saved");
    if (strcmp(state, "refused") == 0) {
        show_line(stderr, "popgate: it is in use, but BIRD refuses the include file: %s",
                  words(include, "message"));
        *result = EXIT_FAILED;
    } else if (strcmp(state, "by-hand") == 0) {
        fputs("popgate: it is in use, but the include file is new: run birdc configure\n", stderr);
        *result = EXIT_FAILED;
    } else if (strcmp(state, "not-included") == 0 && json_array_size(at(status, "services")) > 0) {
        show_line(stderr,
                  "popgate: it is in use, but BIRD has not read the include file: put %s "
                  "into bird.conf, then birdc configure",
                  words(include, "line"));
        *result = EXIT_FAILED;
    }
    return saved && (strcmp(state, "loaded") == 0 || strcmp(state, "not-included") == 0);
}

static enum exit_status wait_loaded(const struct options *options)
{
    uint64_t until_ms = now_ms() + options->wait_ms;
    for (;;) {
        struct answer answer;
        enum exit_status result = client_get(options->socket, "/v1/status", &answer);
        bool loaded = result == EXIT_DONE && is_loaded(answer.json, &result);
        if (options->json && loaded) {
            fputs(answer.text, stdout);
        }
        answer_clear(&answer);
        if (loaded || result != EXIT_DONE) {
            return result;
        }
        if (now_ms() >= until_ms) {
            fputs("popgate: it is in use, but BIRD has not taken the include file yet\n", stderr);
            return EXIT_TIMED_OUT;
        }
        pause_ms(POLL_MS);
    }
}

enum exit_status do_reload(const struct options *options, const char *verb)
{
    enum exit_status result = post(options, verb, "{}");
    return result == EXIT_DONE && is_given(options, OPTION_WAIT) ? wait_loaded(options) : result;
}
