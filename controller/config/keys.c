// What each section of popgate.conf may say: its keys, their kinds, ranges and defaults.
#include "controller/config/build.h"
#include "controller/config/values.h"
#include "dns/responder/responder.h"

#include <string.h>

#define PREPEND_MAX 16
#define SECOND_MS   UINT64_C(1000)
#define DAY_MS      UINT64_C(86400000)

#define POP(member)       offsetof(struct config, pop.member)
#define BIRD(member)      offsetof(struct config, bird.member)
#define CONTROL(member)   offsetof(struct config, control.member)
#define SERVICE(member)   offsetof(struct service_conf, member)
#define RESPONDER(member) offsetof(struct config, responder.member)

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
    {.name = "min_sessions", .kind = KEY_UINT, .offset = BIRD(min_sessions), .max = 1000,
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
    {.name = "prefixes", .kind = KEY_ELSEWHERE, .list = true, .required = true}, // config_check()
    {.name = "require", .kind = KEY_ELSEWHERE, .list = true},
    {.name = "any", .kind = KEY_ELSEWHERE, .list = true},
    {.name = "any_min", .kind = KEY_UINT, .offset = SERVICE(any_min), .min = 1, .fallback = "1"},
    {.name = "degrade", .kind = KEY_ELSEWHERE, .list = true},
    {.name = "depends", .kind = KEY_ELSEWHERE, .list = true},
    ATTRIBUTE_KEYS("", primary, NULL),
    ATTRIBUTE_KEYS("drain_", drain, "graceful-shutdown"), // RFC 8326
    KEY_END,
};

const struct key responder_keys[] = {
    {.name = "listen", .kind = KEY_CUSTOM, .offset = RESPONDER(listen), .parse = value_listen,
     .list = true, .required = true},
    {.name = "zone", .kind = KEY_CUSTOM, .offset = RESPONDER(zone), .parse = value_zone},
    {.name = "ns", .kind = KEY_CUSTOM, .offset = RESPONDER(ns), .parse = value_server,
     .list = true},
    {.name = "hostmaster", .kind = KEY_CUSTOM, .offset = RESPONDER(hostmaster),
     .parse = value_mailbox},
    {.name = "ttl", .kind = KEY_CUSTOM, .offset = RESPONDER(ttl_s), .parse = value_ttl,
     .fallback = "1h"},
    {.name = "negative_ttl", .kind = KEY_CUSTOM, .offset = RESPONDER(negative_ttl_s),
     .parse = value_ttl, .fallback = "1m"},
    {.name = "serial", .kind = KEY_UINT, .offset = RESPONDER(serial), .min = 1, .max = UINT32_MAX},
    {.name = "id", .kind = KEY_CUSTOM, .offset = RESPONDER(id), .parse = value_label},
    {.name = "nsid", .kind = KEY_BOOL, .offset = RESPONDER(nsid), .fallback = "on"},
    {.name = "version", .kind = KEY_STRING, .offset = RESPONDER(version),
     .size = sizeof ((struct config *)0)->responder.version},
    {.name = "threads", .kind = KEY_UINT, .offset = RESPONDER(threads), .min = 1,
     .max = RESPONDER_THREADS_MAX, .fallback = "1"},
    {.name = "udp_size", .kind = KEY_UINT, .offset = RESPONDER(udp_size), .min = DNS_UDP_MAX,
     .max = 1400, .fallback = "1232"}, // RFC 9715
    {.name = "rate_limit", .kind = KEY_UINT, .offset = RESPONDER(rate_limit), .max = 1000000,
     .fallback = "200"},
    {.name = "slip", .kind = KEY_UINT, .offset = RESPONDER(slip), .max = 100, .fallback = "2"},
    {.name = "cookies", .kind = KEY_BOOL, .offset = RESPONDER(cookies), .fallback = "on"},
    {.name = "cookie_secret_file", .kind = KEY_CUSTOM, .offset = RESPONDER(cookie_secret_file),
     .parse = value_path},
    {.name = "cookie_secret_credential", .kind = KEY_WORD,
     .offset = RESPONDER(cookie_secret_credential),
     .size = sizeof ((struct config *)0)->responder.cookie_secret_credential},
    {.name = "tcp_clients", .kind = KEY_UINT, .offset = RESPONDER(tcp_clients), .min = 1,
     .max = 32768, .fallback = "1000"},
    {.name = "tcp_clients_per_address", .kind = KEY_UINT,
     .offset = RESPONDER(tcp_clients_per_address), .min = 1, .max = 32768, .fallback = "20"},
    {.name = "tcp_idle", .kind = KEY_DURATION, .offset = RESPONDER(tcp_idle_ms), .min = SECOND_MS,
     .max = 600 * SECOND_MS, .fallback = "10s"},
    {.name = "tcp_max_age", .kind = KEY_DURATION, .offset = RESPONDER(tcp_max_age_ms),
     .min = SECOND_MS, .max = DAY_MS, .fallback = "5m"},
    KEY_END,
};

// Parentheses around a piece of text would not compile.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define RECORD_KEY(word) {.name = word, .kind = KEY_ELSEWHERE, .list = true}
#define RECORD_KEYS(type)                                                                          \
    RECORD_KEY(type), RECORD_KEY(type ".degraded"), RECORD_KEY(type ".drained"),                   \
        RECORD_KEY(type ".withdrawn")
// NOLINTEND(bugprone-macro-parentheses)

const struct key answer_keys[] = {
    {.name = "service", .kind = KEY_ELSEWHERE}, // and records: config_read_answer()
    {.name = "ttl", .kind = KEY_CUSTOM, .offset = offsetof(struct dns_answer_conf, ttl_s),
     .parse = value_ttl, .fallback = "30"},
    RECORD_KEYS("a"),
    RECORD_KEYS("aaaa"),
    RECORD_KEYS("cname"),
    RECORD_KEYS("txt"),
    RECORD_KEYS("mx"),
    RECORD_KEYS("srv"),
    RECORD_KEYS("caa"),
    RECORD_KEYS("svcb"),
    RECORD_KEYS("https"),
    KEY_END,
};
// clang-format on

const struct key type_keys[] = {{.name = "type", .required = true}, KEY_END};

const struct section_kind section_kinds[] = {
    {"pop", KIND_NEEDED, false, {pop_keys}, NULL},
    {"bird", KIND_NEEDED, false, {bird_keys}, NULL},
    {"control", KIND_SINGLE, false, {control_keys}, NULL},
    {"defaults", KIND_DEFAULTS, false, {probe_common_keys, service_timing_keys}, NULL},
    {"probe", KIND_NAMED, true, {type_keys}, NULL},
    {"service", KIND_NAMED, false, {service_keys, service_timing_keys}, NULL},
    {"responder", KIND_SINGLE, true, {responder_keys}, NULL},
    {"answer", KIND_NAMED, true, {answer_keys}, answer_names_type},
    {NULL, KIND_SINGLE, false, {NULL}, NULL},
};

const struct reference references[] = {
    {"require", false, SERVICE(require)},
    {"any", false, SERVICE(any)},
    {"degrade", false, SERVICE(degrade)},
    {"depends", true, SERVICE(depends)},
    {NULL, false, 0},
};
