#include "controller/daemon/identity.h"

#include "probes/secret.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct identity {
    const struct config *config;
    struct zone *zone; // NULL: there is no responder
    struct cookie_secrets cookies;
    bool made_up;                     // the secret is nobody's but ours
    struct dns_service_state *states; // as last published
    uint64_t *since_ms;               // beside states; UINT64_MAX: not written yet
    size_t *before; // of each service, its index in the identity before; NULL: that says nothing
    bool published;
};

// ---- Cookie secrets

static enum secrets_found read_secrets(const struct config *config, struct cookie_secrets *out,
                                       char error[ERROR_MAX])
{
    char path[SECRET_PATH_MAX];
    char why[ERROR_MAX];
    struct secret secret = {.text = NULL};
    enum secrets_found found = SECRETS_SOUND;
    if (secret_path(config->responder.cookie_secret_file,
                    config->responder.cookie_secret_credential, path, why) != 0 ||
        secret_load_lines(&secret, path, why) != 0) {
        snprintf(error, ERROR_MAX, "[responder] cookie secrets: %.200s", why);
        found = SECRETS_UNREADABLE;
    } else if (cookie_secrets_parse(secret.text, secret.length, out, why) != 0) {
        snprintf(error, ERROR_MAX, "[responder] cookie secrets: %.90s: %.120s", path, why);
        found = SECRETS_WRONG;
    }
    secret_drop(&secret);
    return found;
}

static bool has_file(const struct config *config)
{
    return config->responder.cookie_secret_file[0] != '\0' ||
           config->responder.cookie_secret_credential[0] != '\0';
}

enum secrets_found identity_check_secrets(const struct config *config, char error[ERROR_MAX])
{
    struct cookie_secrets secrets;
    if (!config->responder.cookies || !has_file(config)) {
        return SECRETS_SOUND;
    }
    enum secrets_found found = read_secrets(config, &secrets, error);
    explicit_bzero(&secrets, sizeof secrets);
    return found;
}

static int make_up_secret(struct cookie_secrets *out, char error[ERROR_MAX])
{
    out->count = 1;
    if (getrandom(out->bytes[0], sizeof out->bytes[0], 0) != (ssize_t)sizeof out->bytes[0]) {
        snprintf(error, ERROR_MAX, "[responder] cookie secret: the kernel has no random bytes");
        return -1;
    }
    return 0;
}

static int take_secrets(struct identity *identity, const struct identity *former,
                        char error[ERROR_MAX])
{
    const struct config *config = identity->config;
    if (!config->responder.cookies) {
        return 0;
    }
    if (has_file(config)) {
        return read_secrets(config, &identity->cookies, error) == SECRETS_SOUND ? 0 : -1;
    }
    identity->made_up = true;
    if (former != NULL && former->made_up) {
        identity->cookies = former->cookies;
        return 0;
    }
    return make_up_secret(&identity->cookies, error);
}

// ---- Life

static bool make_states(struct identity *identity, const struct identity *former)
{
    const struct config *config = identity->config;
    identity->states = calloc(config->service_count + 1, sizeof *identity->states);
    identity->since_ms = calloc(config->service_count + 1, sizeof *identity->since_ms);
    if (identity->states == NULL || identity->since_ms == NULL) {
        return false;
    }
    for (size_t i = 0; i < config->service_count; i++) {
        identity->since_ms[i] = UINT64_MAX;
    }
    if (former != NULL && former->zone != NULL) {
        identity->before = config_services_in(config, former->config);
        return identity->before != NULL;
    }
    return true;
}

struct identity *identity_new(const struct config *config, const struct identity *former,
                              char error[ERROR_MAX])
{
    struct identity *identity = calloc(1, sizeof *identity);
    snprintf(error, ERROR_MAX, "out of memory");
    if (identity == NULL) {
        return NULL;
    }
    identity->config = config;
    if (config->responder.listen_count == 0) {
        return identity;
    }
    identity->zone = zone_new(&config->zone);
    if (identity->zone == NULL || !make_states(identity, former) ||
        take_secrets(identity, former, error) != 0) {
        identity_free(identity);
        return NULL;
    }
    return identity;
}

void identity_free(struct identity *identity)
{
    if (identity == NULL) {
        return;
    }
    zone_free(identity->zone);
    free(identity->states);
    free(identity->since_ms);
    free(identity->before);
    explicit_bzero(&identity->cookies, sizeof identity->cookies);
    free(identity);
}

void identity_take_over(struct identity *identity, const struct identity *former)
{
    for (size_t i = 0; identity->before != NULL && i < identity->config->service_count; i++) {
        size_t before = identity->before[i];
        if (before != SIZE_MAX) {
            identity->states[i] = former->states[before];
            identity->since_ms[i] = former->since_ms[before];
        }
    }
}

struct responder_conf identity_listen(const struct config *config)
{
    return (struct responder_conf){
        .listen = config->responder.listen,
        .listen_count = config->responder.listen_count,
        .threads = (unsigned)config->responder.threads,
        .tcp = {.idle_ms = config->responder.tcp_idle_ms,
                .total_ms = config->responder.tcp_max_age_ms,
                .clients = config->responder.tcp_clients,
                .clients_per_prefix = config->responder.tcp_clients_per_address},
    };
}

const char *identity_text(const struct config *config, char out[IDENTITY_TEXT_MAX])
{
    char name[DNS_NAME_TEXT_MAX] = "";
    char source[COOKIE_SOURCE_MAX];
    char address[ENDPOINT_TEXT_MAX];
    bool has_zone = config->zone.apex != NULL;
    const char *secret = config_cookie_source(config, source);
    size_t used = (size_t)snprintf(
        out, IDENTITY_TEXT_MAX, "responder: %s%.300s, cookie secret %.150s, on",
        has_zone ? "zone " : "no zone", has_zone ? dns_name_text(config->zone.apex, name) : "",
        secret != NULL ? secret : "unused (cookies are off)");
    for (size_t i = 0; i < config->responder.listen_count; i++) {
        struct endpoint endpoint = {.address = config->responder.listen[i].address,
                                    .length = config->responder.listen[i].length};
        if (used < IDENTITY_TEXT_MAX) {
            used += (size_t)snprintf(out + used, IDENTITY_TEXT_MAX - used, " %s",
                                     endpoint_text(&endpoint, address));
        }
    }
    return out;
}

// ---- Services

enum dns_state identity_state(const struct core_service *service)
{
    static const enum dns_state of_target[] = {[TARGET_WITHDRAW] = DNS_STATE_WITHDRAWN,
                                               [TARGET_DEPREFERENCE] = DNS_STATE_DEGRADED,
                                               [TARGET_ANNOUNCE] = DNS_STATE_NORMAL};
    // Drained or not, what would be withdrawn on evidence is.
    if (service->intent.kind == INTENT_DRAIN && service->decision.allowed != TARGET_WITHDRAW) {
        return DNS_STATE_DRAINED;
    }
    return of_target[service->decision.target];
}

static void add_string(struct dns_service_state *state, const char *key, const char *value)
{
    char text[DNS_STATE_TEXT_MAX];
    int length = snprintf(text, sizeof text, "%s=%s", key, value);
    assert(length > 0 && state->text_length + (size_t)length + 1 <= DNS_STATE_TEXT_MAX);
    state->text[state->text_length] = (uint8_t)length;
    memcpy(state->text + state->text_length + 1, text, (size_t)length);
    state->text_length = (uint8_t)(state->text_length + length + 1);
}

static void write_state(struct dns_service_state *state, const struct core_service *service,
                        uint64_t now_ms, uint64_t wall_ms)
{
    const struct decision *decision = &service->decision;
    uint64_t age_ms = now_ms > decision->since_ms ? now_ms - decision->since_ms : 0;
    time_t since = (time_t)((wall_ms > age_ms ? wall_ms - age_ms : 0) / 1000);
    struct tm utc;
    char when[40] = "";
    if (gmtime_r(&since, &utc) != NULL) {
        (void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    *state = (struct dns_service_state){.state = identity_state(service),
                                        .target = (uint8_t)decision->target};
    add_string(state, "target", target_name(decision->target));
    add_string(state, "since", when);
}

// Brings states up to date; false when they were.
static bool follow_services(struct identity *identity, const struct core *core, uint64_t now_ms,
                            uint64_t wall_ms)
{
    bool changed = !identity->published;
    for (size_t i = 0; i < core->config->service_count; i++) {
        const struct core_service *service = &core->services[i];
        struct dns_service_state *state = &identity->states[i];
        if (state->target != service->decision.target || state->state != identity_state(service) ||
            identity->since_ms[i] != service->decision.since_ms) {
            write_state(state, service, now_ms, wall_ms);
            identity->since_ms[i] = service->decision.since_ms;
            changed = true;
        }
    }
    return changed;
}

struct dns_snapshot *identity_snapshot(struct identity *identity, const struct core *core,
                                       uint64_t now_ms, uint64_t wall_ms)
{
    const struct config *config = identity->config;
    assert(core->config == config);
    if (identity->zone == NULL || !follow_services(identity, core, now_ms, wall_ms)) {
        return NULL;
    }
    struct dns_snapshot *snapshot = dns_snapshot_new(identity->zone, config->service_count);
    identity->published = snapshot != NULL;
    if (snapshot == NULL) {
        return NULL;
    }
    snapshot->cookies = identity->cookies;
    snapshot->udp_size = (uint16_t)config->responder.udp_size;
    snapshot->rate_limit = (uint32_t)config->responder.rate_limit;
    snapshot->slip = (uint32_t)config->responder.slip;
    if (config->responder.nsid) {
        snapshot->nsid_length = (uint8_t)strlen(config->responder.id);
        memcpy(snapshot->nsid, config->responder.id, snapshot->nsid_length);
    }
    for (size_t i = 0; i < config->service_count; i++) {
        snapshot->services[i] = identity->states[i];
        snapshot->counts[identity->states[i].target]++;
    }
    return snapshot;
}
