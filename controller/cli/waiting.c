#include "controller/cli/waiting.h"

#include "controller/cli/reading.h"

#include <string.h>

bool waited_concerns(const struct options *options, const char *service)
{
    for (size_t i = 0; i < options->service_count; i++) {
        if (strcmp(options->services[i], service) == 0) {
            return true;
        }
    }
    return options->values[FIELD_ALL] != NULL;
}

static bool is_there(const json_t *services, const char *name)
{
    size_t i;
    json_t *service;
    json_array_foreach(services, i, service)
    {
        if (strcmp(words(service, "name"), name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_seen(const struct options *options, const json_t *service)
{
    static const char *const targets[] = {[WAIT_FOR_TARGET] = NULL,
                                          [WAIT_FOR_WITHDRAWN] = "withdraw",
                                          [WAIT_FOR_ANNOUNCED] = "announce"};
    const char *target = targets[options->wait_for];
    return yes(service, "seen") &&
           (target == NULL || strcmp(words(service, "target"), target) == 0);
}

static bool has_intent(const json_t *service, enum intent_kind kind)
{
    return strcmp(words(at(service, "intent"), "kind"), intent_name(kind)) == 0;
}

// What was to be off the air is left to its probes again.
static bool is_ended(const struct options *options, const json_t *service)
{
    bool ordered_off = options->of != NULL &&
                       (options->of->sets == INTENT_DRAIN || options->of->sets == INTENT_ISOLATE);
    return ordered_off && !has_intent(service, INTENT_DRAIN) &&
           !has_intent(service, INTENT_ISOLATE);
}

enum waited waited_services(const struct options *options, const json_t *status,
                            char message[ERROR_MAX])
{
    const json_t *services = at(status, "services");
    size_t i;
    json_t *service;
    for (size_t name = 0; name < options->service_count; name++) {
        if (!is_there(services, options->services[name])) {
            error_say(message, "it was done, but there is no service `%.64s` any more",
                      options->services[name]);
            return WAITED_NEVER;
        }
    }
    json_array_foreach(services, i, service)
    {
        if (waited_concerns(options, words(service, "name")) && is_ended(options, service)) {
            error_say(message,
                      "it was done, but %.64s is not %s any more: somebody ended that, or its time "
                      "(--for) is over",
                      words(service, "name"), options->of->past);
            return WAITED_NEVER;
        }
    }
    json_array_foreach(services, i, service)
    {
        if (waited_concerns(options, words(service, "name")) && !is_seen(options, service)) {
            return WAITED_NOT_YET;
        }
    }
    return WAITED_SEEN;
}

enum waited waited_include(const json_t *status, char message[ERROR_MAX])
{
    const json_t *include = at(status, "include");
    const char *state = words(include, "state");
    bool needed = json_array_size(at(status, "services")) > 0;
    if (strcmp(state, "refused") == 0) {
        error_say(message, "it is in use, but BIRD refuses the include file: %.160s",
                  words(include, "message"));
        return WAITED_NEVER;
    }
    if (strcmp(state, "by-hand") == 0) {
        error_say(message, "it is in use, but the include file is new: run birdc configure");
        return WAITED_NEVER;
    }
    if (strcmp(state, "unconfirmed") == 0) {
        error_say(message, "it is in use, but somebody's configure timeout was not confirmed: when "
                           "that is settled, run birdc configure");
        return WAITED_NEVER;
    }
    if (strcmp(state, "not-included") == 0 && needed) {
        error_say(
            message,
            "it is in use, but BIRD has not read the include file: put %.120s into bird.conf, "
            "then birdc configure",
            words(include, "line"));
        return WAITED_NEVER;
    }
    bool loaded = strcmp(state, "loaded") == 0 || strcmp(state, "not-included") == 0;
    return yes(include, "saved") && loaded ? WAITED_SEEN : WAITED_NOT_YET;
}
