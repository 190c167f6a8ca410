// What dns/responder/zone.h refuses to compile, told in an operator's words. Pure but for the
// allocation of the names' order.
#include "base/error.h"
#include "dns/responder/zone.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ID_MAX  (UINT8_MAX - 4) // "pop=" goes before it in one of TXT's strings
#define TTL_MAX 0x7fffffffu     // RFC 2181 section 8

// Of a message, for one RRset: less the header, the longest question, and OPT with all options.
#define RRSET_MAX (DNS_MESSAGE_MAX - DNS_UDP_MAX)

// Owner as a pointer, type, class, TTL, rdata's length.
#define RECORD_OVERHEAD 12

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
    for (const char *const *label = zone_own_labels; *label != NULL; label++) {
        if (is_label(conf, name, *label)) {
            return *label;
        }
    }
    return NULL;
}

// A name's labels from the root on, in lower case, each after its length: what is within a name
// begins with it, and so stands together with it when sorted.
struct path {
    size_t length;
    uint8_t bytes[DNS_NAME_MAX];
};

struct place {
    struct path path;
    size_t answer;
};

struct zone_check {
    const struct zone_conf *conf;
    struct place *places;         // of each answer, in order
    const char *const **services; // in order, but for case
    bool *circular[DNS_STATES];   // of each answer: CNAMEs lead from it back to it in that state
};

static struct path path_of(const struct dns_name *name)
{
    struct path path = {.length = name->length};
    size_t end = name->length - 1; // the root's label is left out
    for (size_t at = 0; at < name->length - 1; at += 1u + name->wire[at]) {
        end -= 1u + name->wire[at];
        for (size_t i = 0; i <= name->wire[at]; i++) {
            path.bytes[end + i] = (uint8_t)tolower(name->wire[at + i]);
        }
    }
    path.length = name->length - 1;
    return path;
}

static int compare_paths(const struct path *a, const struct path *b)
{
    size_t common = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->bytes, b->bytes, common);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int by_path(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;
    int order = compare_paths(&a->path, &b->path);
    return order ? order : (a->answer > b->answer) - (a->answer < b->answer);
}

// The first answer at the name or, if there is none, below it; NULL: neither.
static const struct place *find_place(const struct zone_check *check, const struct path *path)
{
    size_t from = 0;
    size_t to = check->conf->answer_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare_paths(&check->places[middle].path, path) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    const struct place *place = &check->places[from];
    bool within = from < check->conf->answer_count && place->path.length >= path->length &&
                  memcmp(place->path.bytes, path->bytes, path->length) == 0;
    return within ? place : NULL;
}

// The number of the first answer of that name; SIZE_MAX: there is none.
static size_t answer_called(const struct zone_check *check, const struct dns_name *name)
{
    struct path path = path_of(name);
    const struct place *place = find_place(check, &path);
    return place != NULL && place->path.length == path.length ? place->answer : SIZE_MAX;
}

static int by_service(const void *left, const void *right)
{
    const char *const *a = *(const char *const *const *)left;
    const char *const *b = *(const char *const *const *)right;
    int order = strcasecmp(*a, *b);
    return order ? order : (a > b) - (a < b);
}

// The number of the first service of that name, in whatever case; SIZE_MAX: there is none.
static size_t service_number(const struct zone_check *check, const char *name)
{
    size_t from = 0;
    size_t to = check->conf->service_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcasecmp(*check->services[middle], name) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    bool found = from < check->conf->service_count && strcasecmp(*check->services[from], name) == 0;
    return found ? (size_t)(check->services[from] - check->conf->services) : SIZE_MAX;
}

// The service that has name, a label below the apex; NULL: none.
static const char *service_called(const struct zone_check *check, const struct dns_name *name)
{
    char label[DNS_LABEL_MAX + 1] = "";
    memcpy(label, name->wire + 1, name->wire[0]);
    size_t number = service_number(check, label);
    return number != SIZE_MAX && is_label(check->conf, name, label) ? check->conf->services[number]
                                                                    : NULL;
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

static int check_answer_name(const struct zone_check *check, size_t answer, char error[ERROR_MAX])
{
    const struct zone_conf *conf = check->conf;
    const struct dns_name *name = &conf->answers[answer].name;
    char text[DNS_NAME_TEXT_MAX];
    if (!dns_name_is_within(name, conf->apex)) {
        return error_say(error, "it is not within the responder's zone, %.200s",
                         dns_name_text(conf->apex, text));
    }
    if (asterisk_is_misplaced(name)) {
        return error_say(error, "an asterisk can only be the whole leftmost label");
    }
    if (own_label(conf, name) != NULL) {
        return error_say(error, "the responder itself answers for this name (%s)",
                         own_label(conf, name));
    }
    if (service_called(check, name) != NULL) {
        return error_say(error,
                         "the responder itself answers for this name, that of service %.100s",
                         service_called(check, name));
    }
    return answer_called(check, name) < answer
               ? error_say(error, "there is another answer for the same name")
               : 0;
}

// Types that an answer can't have: of a zone's own making, of questions, of messages, and those
// that take a server that does more than to say them (DNAME; RRSIG, NSEC and NSEC3 of DNSSEC).
static bool is_no_data(uint16_t type)
{
    enum { DNAME = 39, RRSIG = 46, NSEC = 47, NSEC3 = 50, NSEC3PARAM = 51 };
    return type == 0 || type == DNS_NS || type == DNS_SOA || type == DNS_OPT || type == DNS_DS ||
           type == DNS_DNSKEY || type == DNAME || type == RRSIG || type == NSEC || type == NSEC3 ||
           type == NSEC3PARAM || (type >= 128 && type <= DNS_ANY);
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

// Whether the name or one below it is there by itself, not by a wildcard.
static bool exists(const struct zone_check *check, const struct dns_name *name)
{
    struct path path = path_of(name);
    return find_place(check, &path) != NULL || dns_name_equal(name, check->conf->apex) ||
           own_label(check->conf, name) != NULL || service_called(check, name) != NULL ||
           zone_is_server(check->conf, name);
}

// RFC 4592 section 3.3.1.
size_t zone_check_answer(const struct zone_check *check, const struct dns_name *name)
{
    struct dns_name encloser = *name;
    if (exists(check, name)) {
        return answer_called(check, name);
    }
    do {
        encloser.length -= 1u + encloser.wire[0];
        memmove(encloser.wire, encloser.wire + 1 + encloser.wire[0], encloser.length);
    } while (!exists(check, &encloser));
    struct dns_name wildcard = dns_name_below("*", &encloser);
    return answer_called(check, &wildcard);
}

bool zone_check_has(const struct zone_check *check, const struct dns_name *name)
{
    return exists(check, name) || zone_check_answer(check, name) != SIZE_MAX;
}

// ---- Circles

// Where in the zone the CNAME leads to which the answer gives in state. False: it gives none, or
// one that leads elsewhere.
static bool leads_on(const struct zone_check *check, size_t number, enum dns_state state,
                     struct dns_name *target)
{
    const struct dns_answer_conf *answer = &check->conf->answers[number];
    enum dns_state from = zone_provider(answer, state, DNS_CNAME);
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record_conf *record = &answer->records[i];
        if (record->state == from && record->type == DNS_CNAME) {
            target->length = record->length;
            memcpy(target->wire, record->rdata, record->length);
            return dns_name_is_within(target, check->conf->apex);
        }
    }
    return false;
}

// The answer there; SIZE_MAX: none.
static size_t follow(const struct zone_check *check, size_t number, enum dns_state state)
{
    struct dns_name target;
    return leads_on(check, number, state, &target) ? zone_check_answer(check, &target) : SIZE_MAX;
}

bool zone_check_is_long(const struct zone_check *check, size_t answer)
{
    for (enum dns_state state = 0; state < DNS_STATES; state++) {
        struct dns_name target;
        size_t at = answer;
        for (size_t i = 0; i < ZONE_CHAIN_MAX && at != SIZE_MAX; i++) {
            at = follow(check, at, state);
        }
        if (at != SIZE_MAX && leads_on(check, at, state, &target)) {
            return true;
        }
    }
    return false;
}

// Every answer leads to one other at most: each is walked over once. next and walk have room for
// all answers, walk of zeros.
static void find_circles(struct zone_check *check, enum dns_state state, size_t *next, size_t *walk)
{
    size_t count = check->conf->answer_count;
    for (size_t i = 0; i < count; i++) {
        next[i] = follow(check, i, state);
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        while (at != SIZE_MAX && walk[at] == 0) {
            walk[at] = i + 1;
            at = next[at];
        }
        bool round = at != SIZE_MAX && walk[at] == i + 1;
        for (; round && !check->circular[state][at]; at = next[at]) {
            check->circular[state][at] = true;
        }
    }
}

static bool find_all_circles(struct zone_check *check)
{
    size_t count = check->conf->answer_count;
    size_t *next = calloc(count + 1, sizeof *next);
    bool made = next != NULL;
    for (enum dns_state state = 0; made && state < DNS_STATES; state++) {
        size_t *walk = calloc(count + 1, sizeof *walk);
        check->circular[state] = calloc(count + 1, sizeof *check->circular[state]);
        made = walk != NULL && check->circular[state] != NULL;
        if (made) {
            find_circles(check, state, next, walk);
        }
        free(walk);
    }
    free(next);
    return made;
}

// ---- Records

static int check_cname(const struct zone_check *check, size_t number, const struct company *company,
                       enum dns_state state, const char *state_text, char error[ERROR_MAX])
{
    const struct zone_conf *conf = check->conf;
    const struct dns_answer_conf *answer = &conf->answers[number];
    if (dns_name_equal(&answer->name, conf->apex)) {
        return error_say(error, "CNAME%s can't be at the zone's apex, which has SOA and NS",
                         state_text);
    }
    if (zone_is_server(conf, &answer->name)) {
        return error_say(error, "CNAME%s: a name server must have addresses, not another name",
                         state_text);
    }
    if (company->others || company->several) {
        return error_say(error, "CNAME%s must be alone, with no other record in its state",
                         state_text);
    }
    if (check->circular[state][number]) {
        return error_say(error, "CNAME%s leads back to this name, in a circle", state_text);
    }
    return 0;
}

static int check_record(const struct zone_check *check, size_t number, size_t record,
                        char error[ERROR_MAX])
{
    const struct dns_answer_conf *answer = &check->conf->answers[number];
    const struct dns_record_conf *this = &answer->records[record];
    struct company company = company_of(answer, record);
    char type[DNS_TYPE_TEXT_MAX];
    char state[32] = "";
    dns_type_text(this->type, type);
    if (this->state != DNS_STATE_NORMAL) {
        snprintf(state, sizeof state, ".%s", dns_state_name(this->state));
    }
    if (is_no_data(this->type)) {
        return error_say(error, "%s%s is no type that an answer can have", type, state);
    }
    if (this->state != DNS_STATE_NORMAL && answer->service == SIZE_MAX) {
        return error_say(error, "%s%s needs to know which service's state it follows", type, state);
    }
    if (company.twin) {
        return error_say(error, "%s%s: the same record is there twice", type, state);
    }
    if (company.size > RRSET_MAX) {
        return error_say(error, "%s%s: more records than one answer can hold (%d octets)", type,
                         state, RRSET_MAX);
    }
    return this->type == DNS_CNAME ? check_cname(check, number, &company, this->state, state, error)
                                   : 0;
}

static int check_answer(const struct zone_check *check, size_t number, char error[ERROR_MAX])
{
    const struct zone_conf *conf = check->conf;
    const struct dns_answer_conf *answer = &conf->answers[number];
    if (conf->apex == NULL) {
        return error_say(error, "answers need a zone that they are in");
    }
    assert(answer->service == SIZE_MAX || answer->service < conf->service_count);
    int result = check_answer_name(check, number, error);
    if (result == 0 && answer->ttl_s > TTL_MAX) {
        result = error_say(error, "a TTL is at most %u seconds", TTL_MAX);
    }
    for (size_t i = 0; i < answer->record_count && result == 0; i++) {
        result = check_record(check, number, i, error);
    }
    return result;
}

// ---- The rest

static int check_service(const struct zone_check *check, size_t service, char error[ERROR_MAX])
{
    const struct zone_conf *conf = check->conf;
    const char *name = conf->services[service];
    size_t length = strlen(name);
    if (length == 0 || length > DNS_LABEL_MAX || 1 + length + conf->apex->length > DNS_NAME_MAX) {
        return error_say(error, "service %.100s can't be a label in the zone: it is too long",
                         name);
    }
    for (const char *const *label = zone_own_labels; *label != NULL; label++) {
        if (strcasecmp(*label, name) == 0) {
            return error_say(
                error,
                "service %.63s is called like a name of the responder's own in the zone; "
                "rename it",
                name);
        }
    }
    size_t first = service_number(check, name);
    return first < service
               ? error_say(
                     error,
                     "services %.63s and %.63s are one name in the zone, where case is ignored",
                     conf->services[first], name)
               : 0;
}

static int check_server(const struct zone_check *check, const struct dns_name *name,
                        char error[ERROR_MAX])
{
    char text[DNS_NAME_TEXT_MAX];
    dns_name_text(name, text);
    if (own_label(check->conf, name) != NULL) {
        return error_say(error, "name server %.180s is called like a name of the responder's own",
                         text);
    }
    if (service_called(check, name) != NULL) {
        return error_say(error,
                         "name server %.120s is called like service %.63s; set `ns` to another",
                         text, service_called(check, name));
    }
    return 0;
}

static int check_texts(const struct zone_conf *conf, char error[ERROR_MAX])
{
    if (strlen(conf->id) > ID_MAX || strlen(conf->region) > UINT8_MAX ||
        (conf->version != NULL && strlen(conf->version) > UINT8_MAX)) {
        return error_say(error,
                         "the PoP's id has at most %d octets, region and version have at most %d",
                         ID_MAX, UINT8_MAX);
    }
    if (conf->ttl_s > TTL_MAX || conf->negative_ttl_s > TTL_MAX) {
        return error_say(error, "a TTL is at most %u seconds", TTL_MAX);
    }
    return 0;
}

static int check_rest(const struct zone_check *check, char error[ERROR_MAX])
{
    const struct zone_conf *conf = check->conf;
    int result = check_texts(conf, error);
    if (result != 0 || conf->apex == NULL) {
        return result;
    }
    if (conf->apex->length + strlen("1whoami") > DNS_NAME_MAX) {
        return error_say(error, "the zone's name is too long for names below it");
    }
    for (size_t i = 0; i < conf->service_count && result == 0; i++) {
        result = check_service(check, i, error);
    }
    for (size_t i = 0; i < conf->server_count && result == 0; i++) {
        result = check_server(check, &conf->servers[i], error);
    }
    return result;
}

int zone_check(const struct zone_check *check, size_t answer, char error[ERROR_MAX])
{
    assert(answer == SIZE_MAX || answer < check->conf->answer_count);
    return answer == SIZE_MAX ? check_rest(check, error) : check_answer(check, answer, error);
}

struct zone_check *zone_check_new(const struct zone_conf *conf)
{
    struct zone_check *check = calloc(1, sizeof *check);
    if (check == NULL) {
        return NULL;
    }
    check->conf = conf;
    check->places = calloc(conf->answer_count + 1, sizeof *check->places);
    check->services = calloc(conf->service_count + 1, sizeof(const char *const *));
    if (check->places == NULL || check->services == NULL) {
        goto err;
    }
    for (size_t i = 0; i < conf->answer_count; i++) {
        check->places[i] = (struct place){.path = path_of(&conf->answers[i].name), .answer = i};
    }
    for (size_t i = 0; i < conf->service_count; i++) {
        check->services[i] = &conf->services[i];
    }
    qsort(check->places, conf->answer_count, sizeof *check->places, by_path);
    qsort(check->services, conf->service_count, sizeof(const char *const *), by_service);
    if (conf->apex != NULL && !find_all_circles(check)) {
        goto err;
    }
    return check;
err:
    zone_check_free(check);
    return NULL;
}

void zone_check_free(struct zone_check *check)
{
    if (check == NULL) {
        return;
    }
    free(check->places);
    free(check->services);
    for (unsigned state = 0; state < DNS_STATES; state++) {
        free(check->circular[state]);
    }
    free(check);
}
