// What the tests of status share: a core with what it tells, read as JSON.
#pragma once

#include "controller/api/status.h"
#include "controller/cli/check.h"
#include "controller/cli/show.h"

#include "tests/unit/core_fixture.h"

static struct fixture *fixture;
static const struct status_prober *prober; // of the view
static struct own_trouble own;

static inline int set_up(void **state)
{
    (void)state;
    static const char *const sessions[] = {"upstream_a", "upstream_b"};
    fixture = fixture_new("", FIXTURE_SERVICES);
    fixture_sessions(fixture, sessions, 2);
    for (size_t i = 0; i < 2; i++) {
        fixture->core->links[i].state = BIRD_LINK_UP;
        fixture->core->links[i].version = (struct bird_version){2, 0, 12};
    }
    fixture->core->sighted_ns = FIXTURE_NOW_NS + UINT64_C(192000000000); // just now
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    prober = NULL;
    own = (struct own_trouble){.ledger = NULL};
    fixture_free(fixture);
    return 0;
}

TEST_FIXTURE(set_up, tear_down);

static inline struct status_view view(void)
{
    return (struct status_view){.core = fixture->core,
                                .started_ns = FIXTURE_NOW_NS,
                                .now_ns = FIXTURE_NOW_NS + UINT64_C(192000000000),
                                .now_wall_ms = FIXTURE_WALL_MS,
                                .own = own,
                                .prober = prober};
}

static inline json_t *parsed(char *text)
{
    json_error_t error;
    assert_non_null(text);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        fail_msg("%s in: %s", error.text, text);
    }
    free(text);
    return json;
}

static inline json_t *status(void)
{
    struct status_view now = view();
    return parsed(status_all(&now, false, NULL));
}

// The value at a path such as "services.0.gate.state".
static inline const json_t *at(const json_t *json, const char *path)
{
    char part[64];
    while (*path != '\0') {
        size_t length = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        json = json_is_array(json) ? json_array_get(json, strtoul(part, NULL, 10))
                                   : json_object_get(json, part);
        path += length + (path[length] == '.');
    }
    return json;
}

static inline void says(const json_t *json, const char *path, const char *text)
{
    const char *got = json_string_value(at(json, path));
    if (got == NULL || strcmp(got, text) != 0) {
        fail_msg("%s is %s, not %s", path, got != NULL ? got : "missing", text);
    }
}

static inline void counts(const json_t *json, const char *path, json_int_t number)
{
    if (!json_is_integer(at(json, path)) || json_integer_value(at(json, path)) != number) {
        fail_msg("%s is %lld, not %lld", path, (long long)json_integer_value(at(json, path)),
                 (long long)number);
    }
}

static inline void condition_is(size_t prefix, enum condition condition)
{
    fixture->core->observed->prefixes[prefix].condition = condition;
}

// against: what its first probe has to say against it, which counts when the cause is `unhealthy`.
static inline void target_is(size_t service, enum target target, enum cause cause,
                             const char *against)
{
    struct core_service *it = &fixture->core->services[service];
    bool bad = cause == CAUSE_UNHEALTHY;
    size_t probe = fixture->config->services[service].require.items[0];
    struct core_probe *first = &fixture->core->probes[probe];
    fixture->core->healths[probe].settled = bad ? HEALTH_DOWN : HEALTH_UP;
    snprintf(first->bad, sizeof first->bad, "%s", against);
    fixture->core->gates[service] = (struct gate){.state = bad ? GATE_CLOSED : GATE_OPEN,
                                                  .probe = bad ? probe : GATE_NOBODY,
                                                  .service = GATE_NOBODY,
                                                  .held_by = GATE_NOBODY};
    it->decision.target = target;
    it->decision.cause = cause;
    it->seen = true;
    for (size_t i = fixture->core->observed->first[service];
         i < fixture->core->observed->first[service + 1]; i++) {
        condition_is(i, CONDITION_AS_MEANT);
    }
}
