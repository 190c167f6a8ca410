#include "controller/api/request.h"

#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static unsigned refuse(char error[ERROR_MAX], unsigned status,
                                                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, ERROR_MAX, format, args);
    va_end(args);
    return status;
}

// ---- Fields

static bool type_fits(enum field_kind kind, const json_t *value)
{
    return kind == FIELD_FLAG    ? json_is_boolean(value)
           : kind == FIELD_NAMES ? json_is_array(value)
                                 : json_is_string(value);
}

static const char *type_name(enum field_kind kind)
{
    return kind == FIELD_FLAG    ? "true or false"
           : kind == FIELD_NAMES ? "an array of names"
                                 : "a string";
}

static unsigned check_time(const struct field_row *row, const char *text, char error[ERROR_MAX])
{
    uint64_t ms;
    char most[DURATION_TEXT_MAX];
    if (!duration_parse(text, &ms)) {
        return refuse(error, 400, "`%s` must be a time such as 30s, 10m or 2h, not `%.32s`",
                      row->name, text);
    }
    if (row->most != 0 && ms > row->most) {
        return refuse(error, 400, "`%s` must be at most %s", row->name,
                      duration_text(row->most, most));
    }
    return row->not_zero && ms == 0
               ? refuse(error, 400, "`%s` must be longer than nothing", row->name)
               : 200;
}

static unsigned check_text(const struct field_row *row, const char *text, char error[ERROR_MAX])
{
    if (strlen(text) > row->most) {
        return refuse(error, 400, "`%s` must be shorter than %zu bytes", row->name,
                      (size_t)row->most + 1);
    }
    for (const char *at = text; row->without != NULL && *at != '\0'; at++) {
        if (iscntrl((unsigned char)*at) || strchr(row->without, *at) != NULL) {
            return refuse(error, 400, "`%s` must be without %s and control characters", row->name,
                          row->without);
        }
    }
    return 200;
}

static unsigned check_value(const struct field_row *row, const json_t *value, char error[ERROR_MAX])
{
    if (!type_fits(row->kind, value)) {
        return refuse(error, 400, "`%s` must be %s", row->name, type_name(row->kind));
    }
    if (row->kind == FIELD_TIME) {
        return check_time(row, json_string_value(value), error);
    }
    return row->kind == FIELD_TEXT ? check_text(row, json_string_value(value), error) : 200;
}

static unsigned check_field(enum verb verb, const char *name, const json_t *value,
                            char error[ERROR_MAX])
{
    struct nearest nearest = {.wanted = name};
    for (size_t i = 0; i < FIELDS; i++) {
        if (strcmp(field_rows[i].name, name) == 0) {
            return (verb_rows[verb].fields & FIELD_BIT(i)) == 0
                       ? refuse(error, 400, "`%s` means nothing for %s", name, verb_rows[verb].name)
                       : check_value(&field_rows[i], value, error);
        }
        nearest_offer(&nearest, field_rows[i].name);
    }
    return nearest.best != NULL
               ? refuse(error, 400, "unknown field `%.64s`; did you mean `%s`?", name, nearest.best)
               : refuse(error, 400, "unknown field `%.64s`", name);
}

static const json_t *value_of(const json_t *root, enum field field)
{
    return json_object_get(root, field_rows[field].name);
}

// Does the request say something by it? A flag that is false, an empty text or list say nothing.
static bool says(const json_t *root, enum field field)
{
    const json_t *value = value_of(root, field);
    const char *text = json_string_value(value);
    return json_is_true(value) || json_array_size(value) > 0 || (text != NULL && text[0] != '\0');
}

// Of all fields together: what the verb can't do without, and what excludes each other.
static unsigned check_whole(enum verb verb, const json_t *root, char error[ERROR_MAX])
{
    const struct verb_row *row = &verb_rows[verb];
    for (unsigned field = 0; field < FIELDS; field++) {
        for (unsigned other = 0; other < field && says(root, field); other++) {
            if ((field_rows[field].instead_of & FIELD_BIT(other)) != 0 && says(root, other)) {
                return refuse(error, 400, "`%s` and `%s` exclude each other",
                              field_rows[field].name, field_rows[other].name);
            }
        }
        if (row->needs[field] != NULL && !says(root, field)) {
            return refuse(error, 400, "%s needs `%s`: %s", row->name, field_rows[field].name,
                          row->needs[field]);
        }
    }
    return 200;
}

static unsigned check_fields(enum verb verb, json_t *root, char error[ERROR_MAX])
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
    return check_whole(verb, root, error);
}

// 0 if it is not there; checked before.
static uint64_t time_of(const json_t *root, enum field field)
{
    const char *text = json_string_value(value_of(root, field));
    uint64_t ms = 0;
    return text != NULL && duration_parse(text, &ms) ? ms : 0;
}

static const char *text_of(const json_t *root, enum field field)
{
    const char *text = json_string_value(value_of(root, field));
    return text != NULL ? text : "";
}

static void read_fields(const json_t *root, struct request *out)
{
    struct change *change = &out->change;
    snprintf(change->reason, sizeof change->reason, "%s", text_of(root, FIELD_REASON));
    snprintf(out->claimed, sizeof out->claimed, "%s", text_of(root, FIELD_BY));
    change->for_ms = time_of(root, FIELD_FOR);
    change->has_grace = says(root, FIELD_NOW) || says(root, FIELD_GRACE);
    change->grace_ms = time_of(root, FIELD_GRACE);
    change->force = says(root, FIELD_FORCE);
}

// ---- Services

size_t request_service(const struct config *config, const char *name, char error[ERROR_MAX])
{
    size_t service = config_service(config, name);
    const char *nearest = service == SIZE_MAX ? config_nearest_service(config, name) : NULL;
    if (nearest != NULL) {
        error_say(error, "no service `%.64s`; did you mean `%s`?", name, nearest);
    } else if (service == SIZE_MAX) {
        error_say(error, "no service `%.64s`", name);
    }
    return service;
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
        size_t service = request_service(core->config, name, error);
        if (service == SIZE_MAX) {
            return 404;
        }
        const char *why = intent_hinders(&core->services[service].intent, request->change.verb);
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
        if (intent_hinders(&core->services[i].intent, request->change.verb) == NULL) {
            request->services[request->change.service_count++] = i;
        }
    }
}

static unsigned read_services(const struct core *core, const json_t *root, struct request *request,
                              char error[ERROR_MAX])
{
    bool all = says(root, FIELD_ALL);
    if (all == says(root, FIELD_SERVICES)) {
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
    return named_services(core, value_of(root, FIELD_SERVICES), request, error);
}

unsigned request_parse(const struct core *core, enum verb verb, const char *body, size_t length,
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
        read_fields(root, out);
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
