#include "controller/api/request.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERBS        (VERB_UNPIN + 1)
#define BIT(verb)    (1U << (verb))
#define EVERY        (BIT(VERBS) - 1)
#define GRACE_MAX_MS UINT64_C(604800000) // a week

static const struct field {
    const char *name;
    json_type type;
    unsigned verbs; // that have it
} fields[] = {
    {"services", JSON_ARRAY, EVERY},         {"all", JSON_TRUE, EVERY},
    {"reason", JSON_STRING, EVERY},          {"for", JSON_STRING, BIT(VERB_DRAIN) | BIT(VERB_PIN)},
    {"grace", JSON_STRING, BIT(VERB_DRAIN)}, {"now", JSON_TRUE, BIT(VERB_DRAIN)},
    {"force", JSON_TRUE, BIT(VERB_DRAIN)},
};
#define FIELDS (sizeof fields / sizeof *fields)

const char *verb_name(enum api_verb verb)
{
    static const char *const names[] = {"drain", "undrain", "isolate", "release", "pin", "unpin"};
    return names[verb];
}

__attribute__((format(printf, 3, 4))) static unsigned refuse(char error[ERROR_MAX], unsigned status,
                                                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, ERROR_MAX, format, args);
    va_end(args);
    return status;
}

// ---- fields ----

static bool type_fits(const struct field *field, const json_t *value)
{
    return field->type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == field->type;
}

static const char *type_name(const struct field *field)
{
    return field->type == JSON_TRUE     ? "true or false"
           : field->type == JSON_STRING ? "a string"
                                        : "an array of names";
}

static unsigned check_field(enum api_verb verb, const char *name, const json_t *value,
                            char error[ERROR_MAX])
{
    struct nearest nearest = {.wanted = name};
    for (size_t i = 0; i < FIELDS; i++) {
        if (strcmp(fields[i].name, name) != 0) {
            nearest_offer(&nearest, fields[i].name);
            continue;
        }
        if ((fields[i].verbs & BIT(verb)) == 0) {
            return refuse(error, 400, "`%s` means nothing for %s", name, verb_name(verb));
        }
        if (!type_fits(&fields[i], value)) {
            return refuse(error, 400, "`%s` must be %s", name, type_name(&fields[i]));
        }
        return 200;
    }
    return nearest.best != NULL
               ? refuse(error, 400, "unknown field `%.64s`; did you mean `%s`?", name, nearest.best)
               : refuse(error, 400, "unknown field `%.64s`", name);
}

static unsigned check_fields(enum api_verb verb, json_t *root, char error[ERROR_MAX])
{
    const char *name;
    json_t *value;
    if (!json_is_object(root)) {
        return refuse(error, 400, "the body must be a JSON object");
    }
    json_object_foreach(root, name, value)
    {
        unsigned status = check_field(verb, name, value, error);
        if (status != 200) {
            return status;
        }
    }
    return 200;
}

static bool is_set(const json_t *root, const char *name)
{
    return json_is_true(json_object_get(root, name));
}

static unsigned read_duration(const json_t *root, const char *name, uint64_t *out_ms,
                              char error[ERROR_MAX])
{
    const char *text = json_string_value(json_object_get(root, name));
    if (text != NULL && !duration_parse(text, out_ms)) {
        return refuse(error, 400, "`%s` must be a time such as 30s, 10m or 2h, not `%.32s`", name,
                      text);
    }
    return 200;
}

static unsigned read_times(const json_t *root, struct api_change *change, char error[ERROR_MAX])
{
    bool now = is_set(root, "now");
    bool has_for = json_object_get(root, "for") != NULL;
    change->has_grace = now || json_object_get(root, "grace") != NULL;
    if (now && json_object_get(root, "grace") != NULL) {
        return refuse(error, 400, "`now` and `grace` exclude each other");
    }
    unsigned status = read_duration(root, "for", &change->for_ms, error);
    if (status == 200) {
        status = read_duration(root, "grace", &change->grace_ms, error);
    }
    if (status != 200) {
        return status;
    }
    if (change->grace_ms > GRACE_MAX_MS) {
        return refuse(error, 400, "`grace` must be at most 7d");
    }
    if (has_for && change->for_ms == 0) {
        return refuse(error, 400, "`for` must be longer than nothing");
    }
    if (change->verb == VERB_PIN && !has_for) {
        return refuse(error, 400,
                      "pin needs `for`: it overrules the probes, so it must end by itself");
    }
    return 200;
}

static unsigned read_reason(const json_t *root, struct api_change *change, char error[ERROR_MAX])
{
    const char *reason = json_string_value(json_object_get(root, "reason"));
    reason = reason != NULL ? reason : "";
    if (strlen(reason) >= sizeof change->reason) {
        return refuse(error, 400, "`reason` must be shorter than %zu bytes", sizeof change->reason);
    }
    if (change->verb == VERB_PIN && reason[0] == '\0') {
        return refuse(error, 400, "pin needs `reason`: it overrules the probes");
    }
    snprintf(change->reason, sizeof change->reason, "%s", reason);
    return 200;
}

// ---- services ----

const char *verb_hindrance(enum api_verb verb, enum intent_kind intent)
{
    static const char *const table[VERBS][INTENT_PIN + 1] = {
        [VERB_DRAIN] = {[INTENT_ISOLATE] = "isolated already; only release ends that"},
        [VERB_UNDRAIN] = {[INTENT_ISOLATE] = "isolated; only release ends that",
                          [INTENT_PIN] = "pinned; only unpin ends that"},
        [VERB_RELEASE] = {[INTENT_DRAIN] = "drained, not isolated; use undrain",
                          [INTENT_PIN] = "pinned, not isolated; use unpin"},
        [VERB_PIN] = {[INTENT_DRAIN] = "drained; undrain it before",
                      [INTENT_ISOLATE] = "isolated; only release ends that"},
        [VERB_UNPIN] = {[INTENT_DRAIN] = "drained, not pinned; use undrain",
                        [INTENT_ISOLATE] = "isolated; only release ends that"},
    };
    return table[verb][intent];
}

static size_t find_service(const struct config *config, const char *name)
{
    size_t index = 0;
    while (index < config->service_count && strcmp(config->services[index].name, name) != 0) {
        index++;
    }
    return index;
}

static unsigned unknown_service(const struct config *config, const char *name,
                                char error[ERROR_MAX])
{
    struct nearest nearest = {.wanted = name};
    for (size_t i = 0; i < config->service_count; i++) {
        nearest_offer(&nearest, config->services[i].name);
    }
    return nearest.best != NULL
               ? refuse(error, 404, "no service `%.64s`; did you mean `%s`?", name, nearest.best)
               : refuse(error, 404, "no service `%.64s`", name);
}

static bool listed(const struct request *request, size_t service)
{
    for (size_t i = 0; i < request->change.service_count; i++) {
        if (request->services[i] == service) {
            return true;
        }
    }
    return false;
}

static unsigned named_services(const struct core *core, const json_t *array,
                               struct request *request, char error[ERROR_MAX])
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        const char *name = json_string_value(item);
        if (name == NULL) {
            return refuse(error, 400, "`services` must be an array of names");
        }
        size_t service = find_service(core->config, name);
        if (service == core->config->service_count) {
            return unknown_service(core->config, name, error);
        }
        const char *why = verb_hindrance(request->change.verb, core->services[service].intent.kind);
        if (why != NULL) {
            return refuse(error, 409, "%s is %s", name, why);
        }
        if (!listed(request, service)) {
            request->services[request->change.service_count++] = service;
        }
    }
    return 200;
}

static void all_services(const struct core *core, struct request *request)
{
    for (size_t i = 0; i < core->config->service_count; i++) {
        if (verb_hindrance(request->change.verb, core->services[i].intent.kind) == NULL) {
            request->services[request->change.service_count++] = i;
        }
    }
}

static unsigned read_services(const struct core *core, const json_t *root, struct request *request,
                              char error[ERROR_MAX])
{
    const json_t *array = json_object_get(root, "services");
    bool all = is_set(root, "all");
    if (all == (json_array_size(array) > 0)) {
        return refuse(error, 400, "name the services in `services`, or say `all`: one of both");
    }
    request->services = calloc(core->config->service_count + 1, sizeof *request->services);
    if (request->services == NULL) {
        return refuse(error, 500, "can't read the request: out of memory");
    }
    request->change.services = request->services;
    if (all) {
        all_services(core, request);
        return 200;
    }
    return named_services(core, array, request, error);
}

unsigned request_parse(const struct core *core, enum api_verb verb, const char *body, size_t length,
                       struct request *out, char error[ERROR_MAX])
{
    json_error_t fault;
    *out = (struct request){.change = {.verb = verb}};
    json_t *root = json_loadb(body, length, JSON_REJECT_DUPLICATES, &fault);
    if (root == NULL) {
        return refuse(error, 400, "the body is not JSON: line %d: %s", fault.line, fault.text);
    }
    unsigned status = check_fields(verb, root, error);
    if (status == 200) {
        status = read_times(root, &out->change, error);
    }
    if (status == 200) {
        status = read_reason(root, &out->change, error);
    }
    if (status == 200) {
        out->change.force = is_set(root, "force");
        status = read_services(core, root, out, error);
    }
    json_decref(root);
    if (status != 200) {
        request_clear(out);
    }
    return status;
}

void request_clear(struct request *request)
{
    free(request->services);
    *request = (struct request){.services = NULL};
}
