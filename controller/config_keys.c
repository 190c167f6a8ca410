// What each section of popgate.conf may say: its keys, their kinds, ranges and defaults.
#include "controller/config_build.h"
#include "controller/values.h"

#include <string.h>

#define PREPEND_MAX 16
#define DAY_MS      UINT64_C(86400000)

#define POP(member)     offsetof(struct config, pop.member)
#define BIRD(member)    offsetof(struct config, bird.member)
#define CONTROL(member) offsetof(struct config, control.member)
#define SERVICE(member) offsetof(struct service_conf, member)

// Names of probes and services: config_check() looks them up when all of them are known.
static int value_reference(const char *word, void *field, char error[KEY_ERROR_MAX])
{
    (void)word;
    (void)field;
    (void)error;
    return 0;
}

static const char *const configure_words[] = {"auto", "manual", NULL};
static const char *const on_unknown_words[] = {"hold", "withdraw", NULL};
static const char *const on_exit_words[] = {"withdraw", "keep", NULL};

// clang-format off
const struct key pop_keys[] = {
    {.name = "id", .kind = KEY_CUSTOM, .offset = POP(id), .parse = value_label, .required = true},
    {.name = "region", .kind = KEY_CUSTOM, .offset = POP(region), .parse = value_label},
    {.name = "state_dir", .kind = KEY_CUSTOM, .offset = POP(state_dir), .parse = value_path,
     .fallback = "/var/lib/popgate"},
    {.name = "runtime_dir", .kind = KEY_CUSTOM, .offset = POP(runtime_dir), .parse = value_path,
     .fallback = "/run/popgate"},
    KEY_END,
};

const struct key bird_keys[] = {
    {.name = "socket", .kind = KEY_CUSTOM, .offset = BIRD(socket), .parse = value_path,
     .fallback = "/run/bird/bird.ctl"},
    {.name = "local_as", .kind = KEY_UINT, .offset = BIRD(local_as), .min = 1,
     .max = UINT32_MAX - 1, .required = true}, // RFC 7300 keeps the last one back
    {.name = "sessions", .kind = KEY_CUSTOM, .offset = BIRD(sessions), .parse = value_session,
     .list = true},
    {.name = "min_sessions", .kind = KEY_UINT, .offset = BIRD(min_sessions), .min = 1, .max = 1000,
     .fallback = "1"},
    {.name = "configure", .kind = KEY_CHOICE, .offset = BIRD(configure),
     .choices = configure_words, .fallback = "auto"},
    {.name = "table4", .kind = KEY_CUSTOM, .offset = BIRD(table4), .parse = value_symbol,
     .fallback = "master4"},
    {.name = "table6", .kind = KEY_CUSTOM, .offset = BIRD(table6), .parse = value_symbol,
     .fallback = "master6"},
    KEY_END,
};

const struct key control_keys[] = {
    {.name = "group", .kind = KEY_WORD, .offset = CONTROL(group),
     .size = sizeof ((struct config *)0)->control.group, .fallback = "popgate"},
    {.name = "http", .kind = KEY_ENDPOINT, .offset = CONTROL(http)},
    KEY_END,
};

const struct key service_timing_keys[] = {
    {.name = "hold_down", .kind = KEY_DURATION, .offset = SERVICE(hold_down_ms), .max = DAY_MS,
     .fallback = "10s"},
    {.name = "max_hold_down", .kind = KEY_DURATION, .offset = SERVICE(max_hold_down_ms),
     .max = 7 * DAY_MS, .fallback = "10m"},
    {.name = "grace", .kind = KEY_DURATION, .offset = SERVICE(grace_ms), .max = DAY_MS,
     .fallback = "30s"},
    {.name = "adopt_grace", .kind = KEY_DURATION, .offset = SERVICE(adopt_grace_ms), .max = DAY_MS,
     .fallback = "30s"},
    {.name = "on_unknown", .kind = KEY_CHOICE, .offset = SERVICE(on_unknown),
     .choices = on_unknown_words, .fallback = "hold"},
    {.name = "on_exit", .kind = KEY_CHOICE, .offset = SERVICE(on_exit), .choices = on_exit_words,
     .fallback = "withdraw"},
    {.name = "last_pop_guard", .kind = KEY_BOOL, .offset = SERVICE(last_pop_guard),
     .fallback = "on"},
    KEY_END,
};

// Parentheses around a member or a piece of text would not compile.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define ATTRIBUTE_KEYS(prefix, which, communities_default)                                         \
    {.name = prefix "communities", .kind = KEY_CUSTOM, .offset = SERVICE(which.communities),       \
     .parse = value_community, .list = true, .fallback = (communities_default)},                   \
    {.name = prefix "large_communities", .kind = KEY_CUSTOM,                                       \
     .offset = SERVICE(which.large_communities), .parse = value_large_community, .list = true},    \
    {.name = prefix "ext_communities", .kind = KEY_CUSTOM,                                         \
     .offset = SERVICE(which.ext_communities), .parse = value_ext_community, .list = true},        \
    {.name = prefix "med", .kind = KEY_CUSTOM, .offset = SERVICE(which.med), .parse = value_med},  \
    {.name = prefix "prepend", .kind = KEY_UINT, .offset = SERVICE(which.prepend),                 \
     .max = PREPEND_MAX},                                                                          \
    {.name = prefix "local_pref", .kind = KEY_CUSTOM, .offset = SERVICE(which.local_pref),         \
     .parse = value_local_pref}
// NOLINTEND(bugprone-macro-parentheses)

const struct key service_keys[] = {
    {.name = "prefixes", .kind = KEY_CUSTOM, .offset = SERVICE(prefixes), .parse = value_prefix,
     .list = true, .required = true},
    {.name = "require", .kind = KEY_CUSTOM, .parse = value_reference, .list = true},
    {.name = "any", .kind = KEY_CUSTOM, .parse = value_reference, .list = true},
    {.name = "any_min", .kind = KEY_UINT, .offset = SERVICE(any_min), .min = 1, .fallback = "1"},
    {.name = "degrade", .kind = KEY_CUSTOM, .parse = value_reference, .list = true},
    {.name = "depends", .kind = KEY_CUSTOM, .parse = value_reference, .list = true},
    ATTRIBUTE_KEYS("", primary, NULL),
    ATTRIBUTE_KEYS("drain_", drain, "graceful-shutdown"), // RFC 8326
    KEY_END,
};
// clang-format on

const struct key type_keys[] = {{.name = "type", .required = true}, KEY_END};

const struct section_kind section_kinds[] = {
    {"pop", false, {pop_keys}},
    {"bird", false, {bird_keys}},
    {"control", false, {control_keys}},
    {"defaults", false, {probe_common_keys, service_timing_keys}},
    {"probe", true, {type_keys}},
    {"service", true, {service_keys, service_timing_keys}},
    {NULL, false, {NULL}},
};

const struct reference references[] = {
    {"require", false, SERVICE(require)},
    {"any", false, SERVICE(any)},
    {"degrade", false, SERVICE(degrade)},
    {"depends", true, SERVICE(depends)},
    {NULL, false, 0},
};

const struct key *config_keys(const char *kind, size_t table)
{
    for (const struct section_kind *known = section_kinds; known->word; known++) {
        if (strcmp(known->word, kind) == 0 && table < CONFIG_TABLES_MAX) {
            return known->tables[table];
        }
    }
    return NULL;
}
