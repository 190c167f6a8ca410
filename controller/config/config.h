// What popgate.conf says, with defaults filled in: the struct that all others read. It comes out of
// config_load() (controller/config/load.h) checked, so that nobody needs to check it again.
#pragma once

#include "base/names.h"
#include "controller/config/prefix.h"

#include "dns/responder/zone.h"
#include "probes/conf.h"

#define SERVICE_NAME_MAX 32
#define PATH_LEN_MAX     108 // of sun_path
#define SESSION_NAME_MAX 65

struct community {
    uint32_t part[3]; // standard: 2 used; large (RFC 8092): 3
};
struct ext_community {
    char kind[8]; // rt, ro, generic, as BIRD writes it
    uint32_t part[2];
    char text[64]; // canonical BIRD text, e.g. "(rt, 64512, 10)"
};

// A service's route attributes, for the primary or for the drain twin.
struct attributes {
    struct community *communities, *large_communities;
    struct ext_community *ext_communities;
    size_t communities_count, large_communities_count, ext_communities_count;
    bool has_med, has_local_pref;
    uint32_t med, local_pref;
    uint64_t prepend; // how many times local_as is put before the path
};

// Several names, in the order written, resolved to indices where they name something.
struct index_list {
    size_t *items;
    size_t count;
};

enum on_unknown { ON_UNKNOWN_HOLD, ON_UNKNOWN_WITHDRAW };
enum on_exit { ON_EXIT_WITHDRAW, ON_EXIT_KEEP };

struct service_conf {
    char name[SERVICE_NAME_MAX];
    char symbol[SERVICE_NAME_MAX]; // the name in BIRD's protocols: '-' becomes '_'
    unsigned line;
    struct prefix *prefixes;
    size_t prefix_count;
    bool has_family[FAMILIES];
    struct index_list require, any, degrade; // probes
    struct index_list depends;               // services; acyclic
    uint64_t any_min;
    struct attributes primary, drain;
    uint64_t hold_down_ms, max_hold_down_ms, grace_ms, adopt_grace_ms;
    int on_unknown; // enum on_unknown
    int on_exit;    // enum on_exit
    bool last_pop_guard;
};

enum configure_mode { CONFIGURE_AUTO, CONFIGURE_MANUAL };

struct config {
    struct {
        char id[64], region[64];
        char state_dir[PATH_LEN_MAX], runtime_dir[PATH_LEN_MAX];
    } pop;
    struct {
        char socket[PATH_LEN_MAX];
        uint64_t local_as;
        char (*sessions)[SESSION_NAME_MAX]; // empty: every BGP protocol
        size_t session_count;
        uint64_t min_sessions;
        int configure; // enum configure_mode
        char table4[64], table6[64];
    } bird;
    struct {
        char group[32];
        struct endpoint http; // length 0: no TCP listener
    } control;
    struct {
        struct endpoint *listen; // none: no responder
        size_t listen_count;
        struct dns_name zone; // length 0: none
        struct dns_name *ns;
        size_t ns_count;
        struct dns_name hostmaster;
        char id[64], version[64]; // version empty: not told
        bool nsid, cookies;
        char cookie_secret_file[PATH_LEN_MAX], cookie_secret_credential[64]; // one at most
        uint64_t threads, udp_size, rate_limit, slip;
        uint32_t ttl_s, negative_ttl_s;
        uint64_t serial; // 0: not told
        uint64_t tcp_clients, tcp_clients_per_address, tcp_idle_ms, tcp_max_age_ms;
    } responder;
    struct dns_answer_conf *answers; // in the file's order
    size_t answer_count;
    // All that the responder says, made of the above; it points into this configuration, and has
    // the services in their order.
    struct zone_conf zone;
    struct probe_conf *probes;
    size_t probe_count;
    struct service_conf *services; // in the file's order
    size_t service_count;
    size_t *service_order; // indices, every service after those it depends on
    struct names probe_names, service_names;
};

// The probe's or service's index; SIZE_MAX: there is none of that name.
size_t config_probe(const struct config *config, const char *name);
size_t config_service(const struct config *config, const char *name);

// Of each service of config, its index in other, SIZE_MAX: it is not there. malloc'd; NULL when out
// of memory.
size_t *config_services_in(const struct config *config, const struct config *other);

// The service whose name is nearest to one that there is not (base/keys.h); NULL: none is near.
const char *config_nearest_service(const struct config *config, const char *name);

// The file or credential that the cookie secrets are of, or "made up at start"; NULL: cookies are
// off.
#define COOKIE_SOURCE_MAX (PATH_LEN_MAX + 16)
const char *config_cookie_source(const struct config *config, char out[COOKIE_SOURCE_MAX]);

void config_free(struct config *config);
void config_free_answer(struct dns_answer_conf *answer); // what it points to
