// What dns/responder/zone.h refuses to compile, told in an operator's words. Pure.
#include "base/error.h"
#include "dns/responder/zone.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ID_MAX  (UINT8_MAX - 4) // "pop=" goes before it in one of TXT's strings
#define TTL_MAX 0x7fffffffu     // RFC 2181 section 8

// Of a message, for one RRset: less the header, the longest question, and OPT with all options.
#define RRSET_MAX (DNS_MESSAGE_MAX - DNS_UDP_MAX)

// Owner as a pointer, type, class, TTL, rdata's length.
#define RECORD_OVERHEAD 12

__attribute__((format(printf, 2, 3))) static const char *say(char error[ERROR_MAX],
                                                             const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, ERROR_MAX, format, arguments);
    va_end(arguments);
    return error;
}

// Whether name is that label below the apex.
static bool is_label(const struct zone_conf *conf, const struct dns_name *name, const char *label)
{
    size_t length = strlen(label);
    return name->wire[0] == length && name->length == 1 + length + conf->apex->length &&
           strncasecmp((const char *)name->wire + 1, label, length) == 0 &&
           dns_name_is_within(name, conf->apex);
}

// Of the responder's own names the one that name is; NULL: none.
static const char *own_label(const struct zone_conf *conf, const struct dns_name *name)
{
    for (const char *const *label = zone_own_labels; *label; label++) {
        if (is_label(conf, name, *label)) {
            return *label;
        }
    }
    return NULL;
}

static const char *service_called(const struct zone_conf *conf, const struct dns_name *name)
{
    for (size_t i = 0; i < conf->service_count; i++) {
        if (is_label(conf, name, conf->services[i])) {
            return conf->services[i];
        }
    }
    return NULL;
}

// ---- An answer

static bool asterisk_is_misplaced(const struct dns_name *name)
{
    for (size_t at = 0; name->wire[at] != 0; at += 1u + name->wire[at]) {
        bool has = memchr(name->wire + at + 1, '*', name->wire[at]) != NULL;
        if (has && (at > 0 || name->wire[0] != 1)) {
            return true;
        }
    }
    return false;
}

static const char *check_answer_name(const struct zone_conf *conf, size_t answer,
                                     char error[ERROR_MAX])
{
    const struct dns_name *name = &conf->answers[answer].name;
    char text[DNS_NAME_TEXT_MAX];
    if (!dns_name_is_within(name, conf->apex)) {
        return say(error, "it is not within the responder's zone, %.200s",
                   dns_name_text(conf->apex, text));
    }
    if (asterisk_is_misplaced(name)) {
        return say(error, "an asterisk can only be the whole leftmost label");
    }
    if (own_label(conf, name)) {
        return say(error, "the responder itself answers for this name (%s)", own_label(conf, name));
    }
    if (service_called(conf, name)) {
        return say(error, "the responder itself answers for this name, that of service %.100s",
                   service_called(conf, name));
    }
    for (size_t i = 0; i < answer; i++) {
        if (dns_name_equal(&conf->answers[i].name, name)) {
            return say(error, "there is another answer for the same name");
        }
    }
    return NULL;
}

// Types that an answer can't have: of a zone's own making, of questions, and of messages.
static bool is_no_data(uint16_t type)
{
    return type == 0 || type == DNS_NS || type == DNS_SOA || type == DNS_OPT || type == DNS_DS ||
           type == DNS_DNSKEY || (type >= 128 && type <= DNS_ANY);
}

static bool is_server(const struct zone_conf *conf, const struct dns_name *name)
{
    for (size_t i = 0; i < conf->server_count; i++) {
        if (dns_name_equal(&conf->servers[i], name)) {
            return true;
        }
    }
    return false;
}

// The same state's records of this one's type, up to it: how large they are, whether one is the
// same.
struct company {
    size_t size;
    bool twin;
    bool others;  // of other types
    bool several; // of this type
};

static struct company company_of(const struct dns_answer_conf *answer, size_t record)
{
    const struct dns_record_conf *this = &answer->records[record];
    struct company company = {.size = RECORD_OVERHEAD + (size_t)this->length};
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record_conf *other = &answer->records[i];
        bool same_state = i != record && other->state == this->state;
        company.others |= same_state && other->type != this->type;
        company.several |= same_state && other->type == this->type;
        if (same_state && other->type == this->type && i < record) {
            company.size += RECORD_OVERHEAD + (size_t)other->length;
            company.twin |= other->length == this->length &&
                            memcmp(other->rdata, this->rdata, this->length) == 0;
        }
    }
    return company;
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

static const struct dns_answer_conf *answer_called(const struct zone_conf *conf,
                                                   const struct dns_name *name)
{
    for (size_t i = 0; i < conf->answer_count; i++) {
        if (dns_name_equal(&conf->answers[i].name, name)) {
            return &conf->answers[i];
        }
    }
    return NULL;
}

// Whether the name or one below it is there by itself, not by a wildcard.
static bool exists(const struct zone_conf *conf, const struct dns_name *name)
{
    bool found = dns_name_equal(name, conf->apex) || own_label(conf, name) ||
                 service_called(conf, name) || is_server(conf, name);
    for (size_t i = 0; i < conf->answer_count && !found; i++) {
        found = dns_name_is_within(&conf->answers[i].name, name);
    }
    return found;
}

// The answer at a name within the zone, its wildcard's if need be (RFC 4592 section 3.3.1); NULL.
static const struct dns_answer_conf *answer_at(const struct zone_conf *conf,
                                               const struct dns_name *name)
{
    struct dns_name encloser = *name;
    if (exists(conf, name)) {
        return answer_called(conf, name);
    }
    do {
        encloser.length -= 1u + encloser.wire[0];
        memmove(encloser.wire, encloser.wire + 1 + encloser.wire[0], encloser.length);
    } while (!exists(conf, &encloser));
    struct dns_name wildcard = {.length = encloser.length + 2};
    memcpy(wildcard.wire, "\1*", 2);
    memcpy(wildcard.wire + 2, encloser.wire, encloser.length);
    return answer_called(conf, &wildcard);
}

bool zone_has(const struct zone_conf *conf, const struct dns_name *name)
{
    return exists(conf, name) || answer_at(conf, name) != NULL;
}

// The answer that the CNAME leads to which this one gives in state; NULL: none, or it is elsewhere.
static const struct dns_answer_conf *
follow(const struct zone_conf *conf, const struct dns_answer_conf *answer, enum dns_state state)
{
    enum dns_state from = zone_provider(answer, state, DNS_CNAME);
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record_conf *record = &answer->records[i];
        if (record->state == from && record->type == DNS_CNAME) {
            struct dns_name target = {.length = record->length};
            memcpy(target.wire, record->rdata, record->length);
            return dns_name_is_within(&target, conf->apex) ? answer_at(conf, &target) : NULL;
        }
    }
    return NULL;
}

// Whether CNAMEs lead from the answer back to it while all services are in state.
static bool comes_round(const struct zone_conf *conf, const struct dns_answer_conf *answer,
                        enum dns_state state)
{
    const struct dns_answer_conf *at = answer;
    for (size_t step = 0; step < conf->answer_count && at; step++) {
        at = follow(conf, at, state);
        if (at == answer) {
            return true;
        }
    }
    return false;
}

static const char *check_cname(const struct zone_conf *conf, const struct dns_answer_conf *answer,
                               const struct company *company, enum dns_state state,
                               const char *state_text, char error[ERROR_MAX])
{
    if (dns_name_equal(&answer->name, conf->apex)) {
        return say(error, "CNAME%s can't be at the zone's apex, which has SOA and NS", state_text);
    }
    if (is_server(conf, &answer->name)) {
        return say(error, "CNAME%s: a name server must have addresses, not another name",
                   state_text);
    }
    if (company->others || company->several) {
        return say(error, "CNAME%s must be alone, with no other record in its state", state_text);
    }
    if (comes_round(conf, answer, state)) {
        return say(error, "CNAME%s leads back to this name, in a circle", state_text);
    }
    return NULL;
}

static const char *check_record(const struct zone_conf *conf, const struct dns_answer_conf *answer,
                                size_t record, char error[ERROR_MAX])
{
    const struct dns_record_conf *this = &answer->records[record];
    struct company company = company_of(answer, record);
    char type[DNS_TYPE_TEXT_MAX];
    char state[32] = "";
    dns_type_text(this->type, type);
    if (this->state != DNS_STATE_NORMAL) {
        snprintf(state, sizeof state, ".%s", dns_state_name(this->state));
    }
    if (is_no_data(this->type)) {
        return say(error, "%s%s is no type that an answer can have", type, state);
    }
    if (this->state != DNS_STATE_NORMAL && answer->service == SIZE_MAX) {
        return say(error, "%s%s needs to know which service's state it follows", type, state);
    }
    if (company.twin) {
        return say(error, "%s%s: the same record is there twice", type, state);
    }
    if (company.size > RRSET_MAX) {
        return say(error, "%s%s: more records than one answer can hold (%d octets)", type, state,
                   RRSET_MAX);
    }
    return this->type == DNS_CNAME ? check_cname(conf, answer, &company, this->state, state, error)
                                   : NULL;
}

static const char *check_answer(const struct zone_conf *conf, size_t number, char error[ERROR_MAX])
{
    const struct dns_answer_conf *answer = &conf->answers[number];
    if (!conf->apex) {
        return say(error, "answers need a zone that they are in");
    }
    assert(answer->service == SIZE_MAX || answer->service < conf->service_count);
    const char *problem = check_answer_name(conf, number, error);
    if (!problem && answer->ttl_s > TTL_MAX) {
        problem = say(error, "a TTL is at most %u seconds", TTL_MAX);
    }
    for (size_t i = 0; i < answer->record_count && !problem; i++) {
        problem = check_record(conf, answer, i, error);
    }
    return problem;
}

// ---- The rest

static const char *check_service(const struct zone_conf *conf, size_t service,
                                 char error[ERROR_MAX])
{
    const char *name = conf->services[service];
    size_t length = strlen(name);
    if (length == 0 || length > DNS_LABEL_MAX || 1 + length + conf->apex->length > DNS_NAME_MAX) {
        return say(error, "service %.100s can't be a label in the zone: it is too long", name);
    }
    for (const char *const *label = zone_own_labels; *label; label++) {
        if (strcasecmp(*label, name) == 0) {
            return say(error,
                       "service %.63s is called like a name of the responder's own in the zone; "
                       "rename it",
                       name);
        }
    }
    for (size_t i = 0; i < service; i++) {
        if (strcasecmp(conf->services[i], name) == 0) {
            return say(error,
                       "services %.63s and %.63s are one name in the zone, where case is ignored",
                       conf->services[i], name);
        }
    }
    return NULL;
}

static const char *check_server(const struct zone_conf *conf, const struct dns_name *name,
                                char error[ERROR_MAX])
{
    char text[DNS_NAME_TEXT_MAX];
    dns_name_text(name, text);
    if (own_label(conf, name)) {
        return say(error, "name server %.180s is called like a name of the responder's own", text);
    }
    if (service_called(conf, name)) {
        return say(error, "name server %.120s is called like service %.63s; set `ns` to another",
                   text, service_called(conf, name));
    }
    return NULL;
}

static const char *check_texts(const struct zone_conf *conf, char error[ERROR_MAX])
{
    if (strlen(conf->id) > ID_MAX || strlen(conf->region) > UINT8_MAX ||
        (conf->version && strlen(conf->version) > UINT8_MAX)) {
        return say(error, "the PoP's id has at most %d octets, region and version have at most %d",
                   ID_MAX, UINT8_MAX);
    }
    if (conf->ttl_s > TTL_MAX || conf->negative_ttl_s > TTL_MAX) {
        return say(error, "a TTL is at most %u seconds", TTL_MAX);
    }
    return NULL;
}

static const char *check_rest(const struct zone_conf *conf, char error[ERROR_MAX])
{
    const char *problem = check_texts(conf, error);
    if (problem || !conf->apex) {
        return problem;
    }
    if (conf->apex->length + strlen("1whoami") > DNS_NAME_MAX) {
        return say(error, "the zone's name is too long for names below it");
    }
    for (size_t i = 0; i < conf->service_count && !problem; i++) {
        problem = check_service(conf, i, error);
    }
    for (size_t i = 0; i < conf->server_count && !problem; i++) {
        problem = check_server(conf, &conf->servers[i], error);
    }
    return problem;
}

const char *zone_check(const struct zone_conf *conf, size_t answer, char error[ERROR_MAX])
{
    assert(answer == SIZE_MAX || answer < conf->answer_count);
    return answer == SIZE_MAX ? check_rest(conf, error) : check_answer(conf, answer, error);
}
