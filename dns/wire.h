// DNS messages, read and written, and nothing else (RFC 1035; EDNS(0): RFC 6891). Pure: no I/O, no
// allocation, no globals that change.
//
// Writing never goes beyond the caller's buffer: what does not fit sets `overflow`, which sticks,
// so that only the end of a message needs checking. Names are not compressed.
#pragma once

#include "dns/layout.h"

#define DNS_MESSAGE_MAX 65535
#define DNS_UDP_MAX     512 // without EDNS (RFC 1035 section 2.3.4)

// Bits of the header's flags (RFC 1035 section 4.1.1, RFC 4035 section 3).
#define DNS_QR          0x8000
#define DNS_OPCODE_MASK 0x7800 // 0: QUERY
#define DNS_AA          0x0400
#define DNS_TC          0x0200
#define DNS_RD          0x0100
#define DNS_RA          0x0080
#define DNS_AD          0x0020
#define DNS_CD          0x0010
#define DNS_RCODE_MASK  0x000f

enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

// ---- Reading

struct dns_header {
    uint16_t id;
    uint16_t flags;
    uint16_t counts[DNS_SECTIONS];
};

struct dns_question {
    struct dns_name name;
    uint16_t type, class;
};

struct dns_record {
    struct dns_name owner;
    uint16_t type, class;
    uint32_t ttl;
    size_t rdata; // offset in the message
    size_t rdata_length;
};

bool dns_read_header(struct dns_reader *reader, struct dns_header *out);
bool dns_read_question(struct dns_reader *reader, struct dns_question *out);

// False also when the rdata is not what its type says, so that whatever it lets pass can be
// written as text and into another message. Types that it doesn't know may hold anything.
bool dns_read_record(struct dns_reader *reader, struct dns_record *out);

// Pass over one without a look at where its name's pointers lead or at its rdata: many such cost no
// more than their length.
bool dns_skip_question(struct dns_reader *reader);
bool dns_skip_record(struct dns_reader *reader, uint16_t *type);

// The pieces of a record's rdata, which was read from message.
struct dns_walk dns_record_walk(const uint8_t *message, const struct dns_record *record);

// ---- EDNS

struct dns_edns {
    uint16_t udp_size;
    uint8_t rcode_high; // the upper 8 bits of the extended rcode
    uint8_t version;
    bool dnssec_ok;
};

// False if record (read from message) is no OPT record, or its owner is not the root. options then
// reads its options.
bool dns_read_edns(const uint8_t *message, const struct dns_record *record, struct dns_edns *out,
                   struct dns_reader *options);

// ---- Writing

struct dns_writer {
    uint8_t *buffer;
    size_t size;
    size_t length; // written so far
    bool overflow;
    uint16_t counts[DNS_SECTIONS];
    bool in_record;
    size_t rdata; // offset of the open record's length
    enum dns_section section;
};

// Begins a message in buffer with its header.
void dns_write_begin(struct dns_writer *writer, uint8_t *buffer, size_t size, uint16_t id,
                     uint16_t flags);

// Completes the header. Returns the message's length, or 0 if it did not fit.
size_t dns_write_end(struct dns_writer *writer);

void dns_write_u16(struct dns_writer *writer, uint16_t value);
void dns_write_bytes(struct dns_writer *writer, const void *bytes, size_t length);
void dns_write_name(struct dns_writer *writer, const struct dns_name *name);

void dns_write_question(struct dns_writer *writer, const struct dns_question *question);

// A record is its head, its rdata by the functions above, and dns_record_end().
void dns_record_begin(struct dns_writer *writer, enum dns_section section,
                      const struct dns_name *owner, uint16_t type, uint16_t class, uint32_t ttl);
void dns_record_end(struct dns_writer *writer);

// An OPT record is begun as such, then has options, and ends with dns_record_end().
void dns_opt_begin(struct dns_writer *writer, const struct dns_edns *edns);
void dns_write_option(struct dns_writer *writer, uint16_t code, const void *bytes, size_t length);
