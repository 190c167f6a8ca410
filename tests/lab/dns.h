// A DNS client for tests: sends whatever bytes a test wants from within a node, and reads what
// comes back. It shares nothing with popgate's own probe but the reader of messages (dns/wire.h).
#pragma once

#include "dns/wire.h"
#include "tests/lab/lab.h"

#define LAB_DNS_MS 5000 // an answer that takes longer is lost

// Bytes of a literal, NULs and all: LAB_BYTES("\x00\x03\x00\x00").
struct lab_bytes {
    const void *at;
    size_t length;
};
#define LAB_BYTES(literal)                                                                         \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

// ---- A query

#define LAB_QUERY_MAX 2048

struct lab_query {
    const char *name; // as in a zone file; NULL: no question
    uint16_t type;    // 0: A
    uint16_t class;   // 0: IN
    uint16_t flags;   // of the header, e.g. DNS_RD
    bool edns;
    uint16_t edns_size; // 0: 1232
    uint8_t edns_version;
    uint16_t edns_flags;
    struct lab_bytes options; // of OPT, with their codes and lengths
    bool tsig;                // signed, by a key that nobody has
    struct lab_bytes tail;    // bytes after the message
};

// Returns its length.
size_t lab_query_write(const struct lab_query *query, uint16_t id, uint8_t out[LAB_QUERY_MAX]);

// ---- An answer

#define LAB_RECORDS_MAX 128
#define LAB_OPTIONS_MAX 16

struct lab_answer {
    struct dns_header header;
    uint16_t rcode; // 12 bits
    bool has_question;
    struct dns_question question;
    bool has_edns;
    struct dns_edns edns;
    struct dns_option options[LAB_OPTIONS_MAX]; // bytes are in the message
    size_t option_count;
    // "owner. 60 IN A 192.0.2.1", sorted within each section, without OPT; owners in their case.
    struct lab_record {
        enum dns_section section;
        uint16_t type;
        uint32_t ttl;
        const char *text, *rdata; // the latter is the text's end
    } records[LAB_RECORDS_MAX];
    size_t record_count;
    size_t counts[DNS_SECTIONS]; // of records
    char texts[65536];
};

// NULL, or in what way the message is malformed: counts, records, a second OPT, bytes too many.
const char *lab_answer_read(const uint8_t *message, size_t length, struct lab_answer *out);

// NULL: it has none.
const struct dns_option *lab_answer_option(const struct lab_answer *answer, uint16_t code);

// The rdata of a section's records of that type (0: any), sorted, with spaces between; returns out.
#define LAB_RDATA_MAX 8192
const char *lab_answer_rdata(const struct lab_answer *answer, enum dns_section section,
                             uint16_t type, char out[LAB_RDATA_MAX]);

// All of it, for people: "NOERROR qr aa | question | answer ..."; returns out.
#define LAB_ANSWER_TEXT_MAX 16384
const char *lab_answer_text(const struct lab_answer *answer, char out[LAB_ANSWER_TEXT_MAX]);

// ---- Asking

struct lab_server {
    struct lab_node *from;
    const char *address;
    uint16_t port; // 0: 53
    bool tcp;
    const char *source; // address to ask from; NULL: the kernel's choice
};

// A connected socket, close-on-exec.
struct lab_client {
    int fd;
    bool tcp;
};

struct lab_client lab_client_open(const struct lab_server *server);
void lab_client_close(struct lab_client *client);

// Over TCP the length goes ahead. False when the connection is gone.
bool lab_client_send(const struct lab_client *client, const uint8_t *message, size_t length);

// The next message; 0: none within wait_ms, or the connection was closed.
size_t lab_client_receive(const struct lab_client *client, uint64_t wait_ms,
                          uint8_t out[DNS_MESSAGE_MAX]);

// One query from a socket of its own, and the answer to it; 0: none came.
size_t lab_exchange(const struct lab_server *server, const uint8_t *query, size_t length,
                    uint8_t out[DNS_MESSAGE_MAX]);

// The same, read. Fails the test if none came, or a malformed one, or one of another id. The answer
// stays until the next call.
const struct lab_answer *lab_ask(const struct lab_server *server, const struct lab_query *query);

// The rdata of the answer to name, as lab_answer_rdata(); the rcode when that is not NOERROR,
// "NODATA" when there is nothing. Stays until the next call.
const char *lab_ask_text(const struct lab_server *server, const char *name, uint16_t type);

// Does it answer at all? For LAB_WAIT().
bool lab_answers(const struct lab_server *server, const struct lab_query *query);
