// What a `dns` probe asks, and what it makes of an answer: its keys, the query message, the
// judgement. Does no I/O; probes/dns.c carries the messages.
#pragma once

#include "dns/wire.h"
#include "probes/conf.h"
#include "probes/verdict.h"

#define DNS_RCODES_MAX     8
#define DNS_QUERY_MAX      512 // bytes; a name, a type, a class and an OPT record always fit
#define DNS_QUERY_TEXT_MAX 160

#define DNS_CLIENT_COOKIE     8 // bytes (RFC 7873 section 4)
#define DNS_SERVER_COOKIE_MIN 8 // and of the server's, which follows it
#define DNS_SERVER_COOKIE_MAX 32

enum dns_protocol { DNS_PROTOCOL_UDP, DNS_PROTOCOL_TCP, DNS_PROTOCOL_BOTH };
enum dns_flag { DNS_FLAG_ANY, DNS_FLAG_YES, DNS_FLAG_NO };

struct dns_options {
    int protocol;                  // enum dns_protocol
    char qname[DNS_NAME_TEXT_MAX]; // each {random} in it is replaced in each query
    uint16_t qtype;
    int class; // 0: IN, 1: CH
    struct dns_rcodes {
        uint16_t codes[DNS_RCODES_MAX];
        size_t count; // 0: NOERROR only
    } rcodes;
    char answer[512], answer_contains[KEY_TEXT_MAX]; // empty: not asked for
    char answer_one_of[1024];                        // words
    struct dns_least {
        bool given; // else 1 where NOERROR is the only good code, as an empty answer is no service
        uint64_t answers;
    } least;
    int aa, ad; // enum dns_flag
    char nsid[KEY_TEXT_MAX];
    bool edns, cookie, dnssec_ok, recursion_desired;
    bool mixed_case; // the name is asked for, and must come back, in random letter case
};

// By which a server knows a client again, and the client his answers (RFC 7873): ours for one
// server, and behind it the server's, once it gave one.
struct dns_cookie {
    uint8_t bytes[DNS_CLIENT_COOKIE + DNS_SERVER_COOKIE_MAX];
    size_t length; // 0: none
};

// A client's part that nobody can guess, for a server not known yet.
void dns_cookie_make(struct dns_cookie *out);

extern const struct key dns_keys[];

// As struct probe_type's.
void dns_options_check(const struct probe_conf *conf, const struct probe_problems *problems);

// "id.server CH TXT", cut if it is very long; returns out.
const char *dns_query_text(const struct dns_options *options, char out[DNS_QUERY_TEXT_MAX]);

struct dns_query {
    uint16_t id;
    struct dns_question question;
    struct dns_cookie cookie; // sent with it
    size_t length;
    uint8_t message[DNS_QUERY_MAX];
};

// A new query, with an id, letter case and cookie that nobody can guess; the latter two unless the
// options want none. options passed dns_options_check().
void dns_query_make(const struct dns_options *options, const struct dns_cookie *cookie,
                    struct dns_query *out);

enum dns_judgement_kind {
    DNS_IGNORED,   // no answer to this query: go on waiting
    DNS_FORGED,    // it is, but to somebody else's: only over UDP can another have sent it
    DNS_TRUNCATED, // it is, but ask again over TCP
    DNS_COOKIE,    // it is, but ask again with the cookie that it gave (BADCOOKIE)
    DNS_WRONG,     // not what was expected
    DNS_RIGHT,
};

struct dns_judgement {
    enum dns_judgement_kind kind;
    char code[VERDICT_CODE_MAX];   // of a verdict
    char cause[VERDICT_CAUSE_MAX]; // e.g. "rcode SERVFAIL, expected NOERROR"
    struct dns_cookie cookie;      // to be sent from now on; of length 0: as before
};

// What is not to be believed is told by its header, question and cookie, without a look at its
// records: many such cost little.
void dns_judge(const struct dns_options *options, const struct dns_query *query,
               const uint8_t *message, size_t length, struct dns_judgement *out);
