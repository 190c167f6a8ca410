// What a zone's configuration means, to those who check it and to those who make the zone: see
// zone.h.
#include "dns/responder/zone.h"

#include <assert.h>

const char *const zone_own_labels[] = {"id", "region", "whoami", "health", NULL};

static const char *const state_names[] = {
    [DNS_STATE_NORMAL] = "",
    [DNS_STATE_DEGRADED] = "degraded",
    [DNS_STATE_DRAINED] = "drained",
    [DNS_STATE_WITHDRAWN] = "withdrawn",
};

const char *dns_state_name(enum dns_state state)
{
    assert(state < DNS_STATES);
    return state_names[state];
}

const enum dns_state dns_state_fallback[DNS_STATES][DNS_STATES] = {
    [DNS_STATE_NORMAL] = {DNS_STATE_NORMAL, DNS_STATES},
    [DNS_STATE_DEGRADED] = {DNS_STATE_DEGRADED, DNS_STATE_NORMAL, DNS_STATES},
    [DNS_STATE_DRAINED] = {DNS_STATE_DRAINED, DNS_STATE_WITHDRAWN, DNS_STATE_NORMAL, DNS_STATES},
    [DNS_STATE_WITHDRAWN] = {DNS_STATE_WITHDRAWN, DNS_STATE_DRAINED, DNS_STATE_NORMAL, DNS_STATES},
};

bool zone_leads_to_address(uint16_t type)
{
    return type == DNS_A || type == DNS_AAAA || type == DNS_CNAME || type == DNS_SVCB ||
           type == DNS_HTTPS;
}

enum dns_state zone_provider(const struct dns_answer_conf *answer, enum dns_state state,
                             uint16_t type)
{
    bool leads = zone_leads_to_address(type);
    for (const enum dns_state *from = dns_state_fallback[state]; *from != DNS_STATES; from++) {
        for (size_t i = 0; i < answer->record_count; i++) {
            const struct dns_record_conf *record = &answer->records[i];
            if (record->state == *from &&
                (leads ? zone_leads_to_address(record->type) : record->type == type)) {
                return *from;
            }
        }
    }
    return DNS_STATES;
}

bool zone_is_server(const struct zone_conf *conf, const struct dns_name *name)
{
    for (size_t i = 0; i < conf->server_count; i++) {
        if (dns_name_equal(&conf->servers[i], name)) {
            return true;
        }
    }
    return false;
}
