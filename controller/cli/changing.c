// What changes something: a verb's request, made of the options, and waiting until BIRD is seen to
// do it.
#include "controller/cli/commands.h"

#include "base/clock.h"
#include "controller/cli/reading.h"
#include "controller/cli/show.h"
#include "controller/cli/waiting.h"

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

// One sentence for each service concerned.
static void say_services(const struct options *options, const json_t *status)
{
    struct show show = show_terminal();
    size_t i;
    json_t *service;
    json_array_foreach(at(status, "services"), i, service)
    {
        if (waited_concerns(options, words(service, "name"))) {
            show_sentence(&show, status, service);
        }
    }
}

static uint64_t now_ms(void)
{
    return clock_monotonic_ns() / NS_PER_MS;
}

typedef enum waited (*waited_fn)(const struct options *options, const json_t *status,
                                 char message[ERROR_MAX]);

// Looks at status until waited says that it has come, or won't, or the time is over. what: what has
// not come then.
static enum exit_status wait_until(const struct options *options, waited_fn waited,
                                   void (*say)(const struct options *options, const json_t *status),
                                   const char *what)
{
    uint64_t until_ms = now_ms() + options->wait_ms;
    for (;;) {
        struct answer answer;
        char message[ERROR_MAX];
        enum waited came = WAITED_NOT_YET;
        enum exit_status result = client_get(options->socket, "/v1/status", &answer);
        if (result == EXIT_DONE) {
            came = waited(options, answer.json, message);
        }
        bool over = came != WAITED_NOT_YET || now_ms() >= until_ms;
        if (result == EXIT_DONE && over && options->json) {
            show_json(answer.text);
        } else if (result == EXIT_DONE && over && say != NULL) {
            say(options, answer.json);
        }
        answer_clear(&answer);
        if (came == WAITED_NEVER) {
            show_error("%s", message);
            return EXIT_FAILED;
        }
        if (result != EXIT_DONE || came == WAITED_SEEN) {
            return result;
        }
        if (over) {
            show_error("%s", what);
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
        show_json(answer.text);
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
        show_error("%s: either name the services, or say --all", verb);
        return EXIT_USAGE;
    }
    char *body = change_body(options);
    if (body == NULL) {
        show_error("out of memory");
        return EXIT_FAILED;
    }
    enum exit_status result = post(options, verb, body);
    free(body);
    static const char *const late[] = {
        [WAIT_FOR_TARGET] = "it stands, but BIRD is not seen to do it yet: look at popgate explain",
        [WAIT_FOR_WITHDRAWN] = "it stands, but withdrawn is not seen yet: look at popgate explain",
        [WAIT_FOR_ANNOUNCED] = "it stands, but announced is not seen yet: look at popgate explain"};
    bool done = result == EXIT_DONE || result == EXIT_TIMED_OUT; // what BIRD has not confirmed, too
    struct options of_verb = *options;
    of_verb.of = &verb_rows[verb_named(verb)];
    return done && is_given(options, OPTION_WAIT)
               ? wait_until(&of_verb, waited_services, say_services, late[options->wait_for])
               : result;
}

static enum waited include_waited(const struct options *options, const json_t *status,
                                  char message[ERROR_MAX])
{
    (void)options;
    return waited_include(status, message);
}

enum exit_status do_reload(const struct options *options, const char *verb)
{
    if (options->wait_for != WAIT_FOR_TARGET) {
        show_error("%s: --wait takes a time only: it waits for BIRD to take the file", verb);
        return EXIT_USAGE;
    }
    enum exit_status result = post(options, verb, "{}");
    return result == EXIT_DONE && is_given(options, OPTION_WAIT)
               ? wait_until(options, include_waited, NULL,
                            "it is in use, but BIRD has not taken the include file yet")
               : result;
}
