// The way from a query to its response: what is wrong with it, or the name's node, its records in
// the present state, what they lead to, and an OPT record.
//
// Records come from the zone as they are sent; owners, and names in them, end in a pointer into the
// question. So nothing is searched for while writing, and the space is checked once a record.
#include "dns/responder/respond.h"

#include "base/bytes.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define POINTER     0xc000u
#define POINTER_MAX 0x3fffu

#define ADDITIONAL_MAX 16 // targets whose addresses are added

// RFC 8914 section 4
#define ERROR_NOT_AUTHORITATIVE 20
#define ERROR_NOT_SUPPORTED     21

// An OPT record with every option that there may be.
#define OPT_HEAD     11
#define OPT_MAX      (OPT_HEAD + (4 + DNS_NSID_MAX) + (4 + COOKIE_SIZE) + (4 + 20) + (4 + 2) + (4 + 2))
#define QUESTION_MAX (DNS_NAME_MAX + 4)
_Static_assert(DNS_HEADER_SIZE + QUESTION_MAX + OPT_MAX <= DNS_UDP_MAX,
               "whatever is asked, the question and OPT fit");

const char *dns_kind_name(enum dns_kind kind)
{
    static const char *const names[] = {
        [DNS_KIND_IDENTITY] = "identity", [DNS_KIND_WHOAMI] = "whoami",
        [DNS_KIND_HEALTH] = "health",     [DNS_KIND_ZONE] = "zone",
        [DNS_KIND_ANSWER] = "answer",     [DNS_KIND_MISSING] = "missing",
        [DNS_KIND_OUTSIDE] = "outside",   [DNS_KIND_INVALID] = "invalid",
    };
    assert(kind < DNS_KINDS);
    return names[kind];
}

// ---- The response under construction

struct response {
    uint8_t *out;
    size_t length;
    size_t limit;  // for records; the OPT record comes after it
    uint16_t apex; // offset of the zone's apex within the question
    uint16_t counts[DNS_SECTIONS];
    bool truncated;
};

struct exchange {
    const struct dns_snapshot *snapshot;
    const struct dns_asker *asker;
    const struct dns_request *request;
};

// The owner of records to be written: octets that are not in the message yet, and where the rest
// is.
struct owner {
    const uint8_t *prefix;
    size_t prefix_length;
    size_t rest;
};

// False: there is no room for it. The owner's next record points to this one's.
static bool put_record(struct response *response, struct owner *owner,
                       const struct zone_record *record)
{
    size_t size = owner->prefix_length + 2 + record->length;
    if (size > response->limit - response->length) {
        return false;
    }
    size_t start = response->length;
    uint8_t *at = response->out + start;
    memcpy(at, owner->prefix, owner->prefix_length);
    at += owner->prefix_length;
    put_u16(at, POINTER | owner->rest);
    at += 2;
    memcpy(at, record->wire, record->length);
    for (size_t i = 0; i < 2 && record->apex_at[i]; i++) {
        put_u16(at + record->apex_at[i], POINTER | response->apex);
    }
    response->length += size;
    if (owner->prefix_length > 0 && start <= POINTER_MAX) {
        *owner = (struct owner){.prefix = owner->prefix, .rest = start};
    }
    return true;
}

// All of it, or nothing and false (RFC 2181 section 9).
static bool put_rrset(struct response *response, enum dns_section section, struct owner owner,
                      const struct zone_rrset *set, unsigned turn)
{
    size_t start = response->length;
    size_t next = set->count > 1 ? turn % set->count : 0;
    for (size_t i = 0; i < set->count; i++) {
        if (!put_record(response, &owner, &set->records[next])) {
            response->length = start;
            return false;
        }
        next = next + 1 < set->count ? next + 1 : 0;
    }
    response->counts[section] = (uint16_t)(response->counts[section] + set->count);
    return true;
}

static const struct owner asked = {.prefix = (const uint8_t *)"", .rest = DNS_HEADER_SIZE};

static struct owner owner_of(const struct response *response, const struct zone_target *target)
{
    return (struct owner){
        .prefix = target->name.wire, .prefix_length = target->prefix, .rest = response->apex};
}

// ---- Records made for one query

#define MADE_HEAD 10 // type, class, TTL, rdata's length
#define MADE_MAX  640

struct made {
    struct zone_rrset set;
    struct zone_record record;
    size_t length;
    uint8_t wire[MADE_HEAD + MADE_MAX];
};

// They say what holds now, or for this asker alone, so nobody may keep them: TTL 0.
static void made_begin(struct made *made, uint16_t type)
{
    put_u16(made->wire, type);
    put_u16(made->wire + 2, DNS_CLASS_IN);
    put_u32(made->wire + 4, 0);
    made->length = MADE_HEAD;
}

static void made_bytes(struct made *made, const void *bytes, size_t length)
{
    assert(length <= sizeof made->wire - made->length);
    memcpy(made->wire + made->length, bytes, length);
    made->length += length;
}

// One of TXT's strings.
__attribute__((format(printf, 2, 3))) static void made_string(struct made *made, const char *format,
                                                              ...)
{
    char text[UINT8_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(wanted >= 0 && (size_t)wanted < sizeof text);
    made_bytes(made, &(uint8_t){(uint8_t)wanted}, 1);
    made_bytes(made, text, (size_t)wanted);
}

static const struct zone_rrset *made_end(struct made *made, uint16_t type)
{
    put_u16(made->wire + 8, made->length - MADE_HEAD);
    made->record = (struct zone_record){.wire = made->wire, .length = (uint16_t)made->length};
    made->set = (struct zone_rrset){.type = type, .count = 1, .records = &made->record};
    return &made->set;
}

static const void *address_bytes(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6
               ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
               : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
}

static void put_subnet(struct made *made, const struct dns_request *request)
{
    uint8_t address[16] = {0};
    char text[INET6_ADDRSTRLEN] = "0";
    unsigned family = request->subnet[1];
    memcpy(address, request->subnet + 4, request->subnet_length - 4u);
    if (family != DNS_FAMILY_NONE) {
        inet_ntop(family == DNS_FAMILY_IPV6 ? AF_INET6 : AF_INET, address, text, sizeof text);
    }
    made_string(made, "subnet=%s/%u", text, (unsigned)request->subnet[2]);
}

static const struct zone_rrset *whoami_txt(const struct exchange *exchange, struct made *made)
{
    const struct sockaddr *client = exchange->asker->address;
    in_port_t port = client->sa_family == AF_INET6
                         ? ((const struct sockaddr_in6 *)client)->sin6_port
                         : ((const struct sockaddr_in *)client)->sin_port;
    char address[INET6_ADDRSTRLEN];
    inet_ntop(client->sa_family, address_bytes(client), address, sizeof address);
    made_begin(made, DNS_TXT);
    made_string(made, "address=%s", address);
    made_string(made, "port=%u", (unsigned)ntohs(port));
    made_string(made, "transport=%s", exchange->asker->transport == DNS_TCP ? "tcp" : "udp");
    if (exchange->request->has_subnet) {
        put_subnet(made, exchange->request);
    }
    made_string(made, "pop=%s", zone_id(exchange->snapshot->zone));
    return made_end(made, DNS_TXT);
}

static const struct zone_rrset *whoami(const struct exchange *exchange, uint16_t type,
                                       struct made *made)
{
    const struct sockaddr *client = exchange->asker->address;
    bool v6 = client->sa_family == AF_INET6;
    uint16_t own_type = v6 ? DNS_AAAA : DNS_A;
    if (type == DNS_TXT) {
        return whoami_txt(exchange, made);
    }
    if (type != own_type && type != DNS_ANY) {
        return NULL;
    }
    made_begin(made, own_type);
    made_bytes(made, address_bytes(client), v6 ? 16 : 4);
    return made_end(made, own_type);
}

static const struct zone_rrset *health(const struct exchange *exchange, struct made *made)
{
    const uint64_t *counts = exchange->snapshot->counts;
    made_begin(made, DNS_TXT);
    made_string(made, "announce=%llu", (unsigned long long)counts[2]);
    made_string(made, "depreference=%llu", (unsigned long long)counts[1]);
    made_string(made, "withdraw=%llu", (unsigned long long)counts[0]);
    return made_end(made, DNS_TXT);
}

static const struct zone_rrset *service_txt(const struct exchange *exchange, size_t service,
                                            struct made *made)
{
    const struct dns_service_state *state = &exchange->snapshot->services[service];
    if (state->text_length == 0) {
        return NULL;
    }
    made_begin(made, DNS_TXT);
    made_bytes(made, state->text, state->text_length);
    return made_end(made, DNS_TXT);
}

// ---- Answers

static const struct zone_rrsets *present(const struct exchange *exchange,
                                         const struct zone_node *node)
{
    if (node->service == SIZE_MAX) {
        return &node->states[DNS_STATE_NORMAL];
    }
    assert(node->service < exchange->snapshot->service_count);
    return &node->states[exchange->snapshot->services[node->service].state];
}

// What answers a question for type at node: the records of that type, or a CNAME. For ANY it is any
// one RRset (RFC 8482 section 4.1). NULL: there are none. made is where it is made, if need be.
static const struct zone_rrset *rrset_of(const struct exchange *exchange,
                                         const struct zone_node *node, uint16_t type,
                                         struct made *made)
{
    bool txt = type == DNS_TXT || type == DNS_ANY;
    switch (node->kind) {
    case ZONE_WHOAMI:
        return whoami(exchange, type, made);
    case ZONE_HEALTH:
        return txt ? health(exchange, made) : NULL;
    case ZONE_SERVICE:
        return txt ? service_txt(exchange, node->service, made) : NULL;
    default:
        break;
    }
    const struct zone_rrsets *present_sets = present(exchange, node);
    for (size_t i = 0; i < present_sets->count; i++) {
        const struct zone_rrset *set = &present_sets->sets[i];
        if (set->type == type || set->type == DNS_CNAME || type == DNS_ANY) {
            return set;
        }
    }
    return NULL;
}

// Addresses of what the records lead to: a courtesy, so only as far as there is room.
static void put_additional(struct response *response, const struct exchange *exchange,
                           const struct zone_rrset *set)
{
    const struct zone_target *done[ADDITIONAL_MAX];
    size_t count = 0;
    for (size_t i = 0; i < set->count && count < ADDITIONAL_MAX; i++) {
        const struct zone_target *target = set->records[i].target;
        bool again = target == NULL;
        for (size_t j = 0; j < count && !again; j++) {
            again = dns_name_equal(&done[j]->name, &target->name);
        }
        if (again) {
            continue;
        }
        done[count++] = target;
        struct zone_place place = zone_find(exchange->snapshot->zone, &target->name, DNS_CLASS_IN);
        for (size_t j = 0; place.node != NULL && j < 2; j++) {
            uint16_t type = j == 0 ? DNS_A : DNS_AAAA;
            struct made made;
            const struct zone_rrset *addresses = rrset_of(exchange, place.node, type, &made);
            if (addresses != NULL && addresses->type == type) {
                put_rrset(response, DNS_ADDITIONAL, owner_of(response, target), addresses,
                          exchange->asker->turn);
            }
        }
    }
}

#define SOA_TTL (2 + 4) // of the record: behind its owner, a pointer, and its type and class

// For how long nobody may hold for true that the node has nothing of a type, when that is less than
// the zone's own time: not at all where the answer holds for this asker or for now, and no longer
// than its answers where they follow a service. NULL: there is no node.
static uint32_t negative_ttl(const struct zone_node *node)
{
    uint32_t ttl = UINT32_MAX;
    bool own = node != NULL && (node->kind == ZONE_WHOAMI || node->kind == ZONE_HEALTH ||
                                node->kind == ZONE_SERVICE);
    if (own || node == NULL || node->service == SIZE_MAX) {
        return own ? 0 : ttl;
    }
    for (size_t state = 0; state < DNS_STATES; state++) {
        const struct zone_rrsets *sets = &node->states[state];
        for (size_t i = 0; i < sets->count; i++) {
            uint32_t of_set = get_u32(sets->sets[i].records[0].wire + 4);
            ttl = of_set < ttl ? of_set : ttl;
        }
    }
    return ttl;
}

// RFC 2308 section 2. Class CH has no zone, so no SOA either.
static void put_negative(struct response *response, const struct exchange *exchange,
                         const struct zone_node *node)
{
    struct owner apex = {.prefix = (const uint8_t *)"", .rest = response->apex};
    uint8_t *ttl = response->out + response->length + SOA_TTL;
    uint32_t most = negative_ttl(node);
    if (exchange->request->question.class != DNS_CLASS_IN) {
        return;
    }
    if (!put_rrset(response, DNS_AUTHORITY, apex, zone_negative(exchange->snapshot->zone), 0)) {
        response->truncated = true;
    } else if (get_u32(ttl) > most) {
        put_u32(ttl, most);
    }
}

// The names that have been answered for so far: the one asked, and those of a chain of CNAMEs.
struct chain {
    const struct dns_name *names[1 + ZONE_CHAIN_MAX];
    size_t count;
};

// False: the chain is too long, or a loop.
static bool chain_add(struct chain *chain, const struct dns_name *name)
{
    if (chain->count == sizeof chain->names / sizeof *chain->names) {
        return false;
    }
    for (size_t i = 0; i < chain->count; i++) {
        if (dns_name_equal(chain->names[i], name)) {
            return false;
        }
    }
    chain->names[chain->count++] = name;
    return true;
}

// RFC 1034 section 4.3.2 from step 3 on, for the name at place; returns the rcode, which is that of
// the last name (RFC 6604 section 3).
static uint16_t put_answer(struct response *response, const struct exchange *exchange,
                           struct zone_place place)
{
    const struct dns_question *question = &exchange->request->question;
    struct chain chain = {.names = {&question->name}, .count = 1};
    struct owner owner = asked;
    for (;;) {
        struct made made;
        const struct zone_rrset *set =
            place.node != NULL ? rrset_of(exchange, place.node, question->type, &made) : NULL;
        if (set == NULL) {
            put_negative(response, exchange, place.node);
            return place.node != NULL ? DNS_NOERROR : DNS_NXDOMAIN;
        }
        if (!put_rrset(response, DNS_ANSWER, owner, set, exchange->asker->turn)) {
            response->truncated = true;
            return DNS_NOERROR;
        }
        if (set->type != DNS_CNAME && question->type != DNS_ANY) {
            put_additional(response, exchange, set);
            return DNS_NOERROR;
        }
        if (question->type == DNS_CNAME || question->type == DNS_ANY) {
            return DNS_NOERROR;
        }
        const struct zone_target *target = set->records[0].target;
        if (target == NULL || !chain_add(&chain, &target->name)) {
            return DNS_NOERROR;
        }
        place = zone_find(exchange->snapshot->zone, &target->name, DNS_CLASS_IN);
        owner = owner_of(response, target);
    }
}

// ---- The whole

// What is known before a record is written.
struct course {
    uint16_t rcode;
    uint16_t error; // extended (RFC 8914); 0: none
    enum dns_kind kind;
    bool from_zone;
    struct zone_place place;
};

static struct course course_of(const struct exchange *exchange)
{
    static const enum dns_kind kinds[] = {
        [ZONE_EMPTY] = DNS_KIND_ZONE,     [ZONE_IDENTITY] = DNS_KIND_IDENTITY,
        [ZONE_WHOAMI] = DNS_KIND_WHOAMI,  [ZONE_HEALTH] = DNS_KIND_HEALTH,
        [ZONE_SERVICE] = DNS_KIND_HEALTH, [ZONE_APEX] = DNS_KIND_ZONE,
        [ZONE_ANSWER] = DNS_KIND_ANSWER,
    };
    const struct dns_request *request = exchange->request;
    const struct dns_question *question = &request->question;
    struct course course = {.rcode = request->rcode, .kind = DNS_KIND_INVALID};
    if (request->rcode != DNS_NOERROR || request->zoneless) {
        course.error = request->rcode == DNS_NOTIMP ? ERROR_NOT_SUPPORTED : 0;
        return course;
    }
    course.place = zone_find(exchange->snapshot->zone, &question->name, question->class);
    if (!course.place.inside) {
        course.rcode = DNS_REFUSED;
        course.error = ERROR_NOT_AUTHORITATIVE;
        course.kind = DNS_KIND_OUTSIDE;
        return course;
    }
    course.kind = course.place.node != NULL ? kinds[course.place.node->kind] : DNS_KIND_MISSING;
    if (question->type >= DNS_IXFR && question->type <= DNS_MAILA) {
        bool transfer = question->type == DNS_IXFR || question->type == DNS_AXFR;
        course.rcode = transfer ? DNS_REFUSED : DNS_NOTIMP;
        course.error = ERROR_NOT_SUPPORTED;
        return course;
    }
    course.from_zone = true;
    return course;
}

static uint8_t *put_option(uint8_t *at, uint16_t code, const void *bytes, size_t length)
{
    put_u16(at, code);
    put_u16(at + 2, length);
    memcpy(at + 4, bytes, length);
    return at + 4 + length;
}

// Makes the OPT record, which each answer to a query that has one has (RFC 6891 section 7); returns
// its length.
static size_t make_opt(const struct exchange *exchange, const struct course *course,
                       uint8_t out[OPT_MAX])
{
    const struct dns_snapshot *snapshot = exchange->snapshot;
    const struct dns_request *request = exchange->request;
    const struct dns_asker *asker = exchange->asker;
    uint8_t *at = out + OPT_HEAD;
    if (!request->has_edns) {
        return 0;
    }
    if (request->wants_nsid && snapshot->nsid_length > 0) {
        at = put_option(at, DNS_OPTION_NSID, snapshot->nsid, snapshot->nsid_length);
    }
    if (request->cookie != COOKIE_NONE && request->cookie != COOKIE_MALFORMED) {
        uint8_t cookie[COOKIE_SIZE];
        cookie_make(&snapshot->cookies, asker->address, asker->now_s, request->client_cookie,
                    cookie);
        at = put_option(at, DNS_OPTION_COOKIE, cookie, sizeof cookie);
    }
    if (request->has_subnet && course->from_zone && course->kind == DNS_KIND_WHOAMI) {
        at = put_option(at, DNS_OPTION_SUBNET, request->subnet, request->subnet_length);
        at[-(ptrdiff_t)request->subnet_length + 3] = request->subnet[2]; // the scope is the source
    }
    if (request->wants_keepalive && asker->transport == DNS_TCP) {
        uint8_t idle[2];
        put_u16(idle, asker->keepalive_ds);
        at = put_option(at, DNS_OPTION_KEEPALIVE, idle, sizeof idle);
    }
    if (course->error) {
        uint8_t error[2];
        put_u16(error, course->error);
        at = put_option(at, DNS_OPTION_ERROR, error, sizeof error);
    }
    out[0] = 0; // the root
    put_u16(out + 1, DNS_OPT);
    put_u16(out + 3, snapshot->udp_size);
    put_u32(out + 5, (uint32_t)(course->rcode >> 4) << 24 | (request->edns.dnssec_ok ? 0x8000 : 0));
    put_u16(out + 9, (size_t)(at - out) - OPT_HEAD);
    return (size_t)(at - out);
}

// Tells who signed his query that the key is unknown here, as whoever has no such key does (RFC
// 8945 section 5.3.2): unsigned, or not at all where there is no room.
static void put_tsig(struct response *response, const struct dns_tsig *tsig, size_t limit)
{
    enum { BADKEY = 17, HEAD = 10, TAIL = sizeof tsig->time + 2 + 6 };
    uint8_t *at = response->out + response->length;
    size_t rdata_length = tsig->algorithm.length + TAIL;
    size_t length = tsig->key.length + HEAD + rdata_length;
    if (length > limit - response->length) {
        response->truncated = true;
        return;
    }
    memcpy(at, tsig->key.wire, tsig->key.length);
    at += tsig->key.length;
    put_u16(at, DNS_TSIG);
    put_u16(at + 2, DNS_CLASS_ANY);
    put_u32(at + 4, 0);
    put_u16(at + 8, rdata_length);
    at += HEAD;
    memcpy(at, tsig->algorithm.wire, tsig->algorithm.length);
    at += tsig->algorithm.length;
    memcpy(at, tsig->time, sizeof tsig->time);
    at += sizeof tsig->time;
    put_u16(at, 0); // of the signature's octets
    put_u16(at + 2, tsig->original_id);
    put_u16(at + 4, BADKEY);
    put_u16(at + 6, 0); // of other data
    response->length += length;
    response->counts[DNS_ADDITIONAL]++;
}

static size_t limit_of(const struct exchange *exchange, size_t size)
{
    size_t limit = DNS_MESSAGE_MAX;
    if (exchange->asker->transport == DNS_UDP) {
        limit = exchange->request->has_edns ? exchange->request->edns.udp_size : DNS_UDP_MAX;
        limit = limit < exchange->snapshot->udp_size ? limit : exchange->snapshot->udp_size;
        limit = limit > DNS_UDP_MAX ? limit : DNS_UDP_MAX; // RFC 6891 section 6.2.3
    }
    return limit < size ? limit : size;
}

static void put_question(struct response *response, const struct dns_question *question)
{
    uint8_t *at = response->out + response->length;
    memcpy(at, question->name.wire, question->name.length);
    at += question->name.length;
    put_u16(at, question->type);
    put_u16(at + 2, question->class);
    response->length += question->name.length + 4;
    response->counts[DNS_QUESTION] = 1;
}

static void put_header(struct response *response, const struct dns_request *request, uint16_t flags)
{
    uint16_t kept = DNS_OPCODE_MASK | DNS_RD | DNS_CD;
    put_u16(response->out, request->id);
    put_u16(response->out + 2, DNS_QR | (request->flags & kept) | flags);
    for (size_t i = 0; i < DNS_SECTIONS; i++) {
        put_u16(response->out + 4 + 2 * i, response->counts[i]);
    }
}

size_t dns_respond(const struct dns_snapshot *snapshot, const struct dns_asker *asker,
                   const struct dns_request *request, bool only_tc, uint8_t *out, size_t size,
                   struct dns_outcome *outcome)
{
    assert(size >= DNS_UDP_MAX);
    struct exchange exchange = {.snapshot = snapshot, .asker = asker, .request = request};
    struct course course = course_of(&exchange);
    uint8_t opt[OPT_MAX];
    size_t opt_length = make_opt(&exchange, &course, opt);
    size_t limit = limit_of(&exchange, size);
    struct response response = {.out = out,
                                .length = DNS_HEADER_SIZE,
                                .limit = limit - opt_length,
                                .apex = (uint16_t)(DNS_HEADER_SIZE + course.place.prefix)};
    uint16_t flags = 0;
    if (request->has_question) {
        put_question(&response, &request->question);
    }
    if (course.from_zone && only_tc) {
        response.truncated = true;
    } else if (course.from_zone) {
        course.rcode = put_answer(&response, &exchange, course.place);
        flags |= DNS_AA;
    }
    if (opt_length > 0) {
        memcpy(out + response.length, opt, opt_length);
        response.length += opt_length;
        response.counts[DNS_ADDITIONAL]++;
    }
    if (course.rcode == DNS_NOTAUTH) {
        put_tsig(&response, &request->tsig, limit);
    }
    flags |= response.truncated ? DNS_TC : 0;
    put_header(&response, request, flags | (course.rcode & DNS_RCODE_MASK));
    *outcome = (struct dns_outcome){
        .rcode = course.rcode, .kind = course.kind, .truncated = response.truncated};
    return response.length;
}
