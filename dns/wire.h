// DNS messages, read and written, and nothing else (RFC 1035; EDNS(0): RFC 6891). Pure: no I/O, no
// allocation, no globals that change.
//
// Reading never looks outside of the message, whatever is in it, and takes time linear in its
// length: compression pointers only go backwards, and a name follows a bounded number of them.
// Writing never goes beyond the caller's buffer: what does not fit sets `overflow`, which sticks
// until dns_rewind(), so that only the end of a message needs checking.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER_SIZE   12
#define DNS_LABEL_MAX     63
#define DNS_NAME_MAX      255  // octets in wire form, the root's too (RFC 1035 section 2.3.4)
#define DNS_NAME_TEXT_MAX 1024 // each octet as \DDD, dots, NUL
#define DNS_TYPE_TEXT_MAX 12   // "TYPE65535"
#define DNS_MESSAGE_MAX   65535
#define DNS_UDP_MAX       512 // without EDNS (RFC 1035 section 2.3.4)

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

enum dns_class { DNS_CLASS_IN = 1, DNS_CLASS_CH = 3, DNS_CLASS_NONE = 254, DNS_CLASS_ANY = 255 };

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_OPT = 41,
    DNS_DS = 43,
    DNS_DNSKEY = 48,
    DNS_SVCB = 64,
    DNS_HTTPS = 65,
    DNS_IXFR = 251,
    DNS_AXFR = 252,
    DNS_MAILB = 253,
    DNS_MAILA = 254,
    DNS_ANY = 255,
    DNS_CAA = 257,
};

enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16,
    DNS_BADCOOKIE = 23,
};

// EDNS option codes: RFC 5001, RFC 7871, RFC 7873, RFC 7828, RFC 8914.
enum dns_option_code {
    DNS_OPTION_NSID = 3,
    DNS_OPTION_SUBNET = 8,
    DNS_OPTION_COOKIE = 10,
    DNS_OPTION_KEEPALIVE = 11,
    DNS_OPTION_ERROR = 15,
};

enum dns_section { DNS_QUESTION, DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

// ---- Names, types, codes

// In wire form, uncompressed, the root's empty label included: length is 1 to 255.
struct dns_name {
    size_t length;
    uint8_t wire[DNS_NAME_MAX];
};

// Reads a name as in a zone file (RFC 1035 section 5.1: \. and \DDD; always absolute, the last dot
// may be missing). NULL, or what is wrong with it; out is then undefined.
const char *dns_name_parse(const char *text, struct dns_name *out);

// Writes it as dns_name_parse() reads it, with the last dot; returns out.
const char *dns_name_text(const struct dns_name *name, char out[DNS_NAME_TEXT_MAX]);

// Reads one octet of a text, escaped or not (RFC 1035 section 5.1: \. and \DDD). Returns what
// follows it, or NULL when its escape is none.
const char *dns_octet_parse(const char *at, uint8_t *out);

// Whether they are the same name; ASCII letters in either case are equal (RFC 4343).
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

// Whether name is the apex or below it.
bool dns_name_is_within(const struct dns_name *name, const struct dns_name *apex);

// "AAAA", or "TYPE1234" (RFC 3597 section 5). dns_type_text() returns out.
bool dns_type_parse(const char *text, uint16_t *out);
const char *dns_type_text(uint16_t type, char out[DNS_TYPE_TEXT_MAX]);

// "NXDOMAIN", or "RCODE1234"; 12 bits with EDNS (RFC 6891 section 6.1.3).
bool dns_rcode_parse(const char *text, uint16_t *out);
const char *dns_rcode_text(uint16_t rcode, char out[DNS_TYPE_TEXT_MAX]);

// ---- Reading

// A place in a message. Read functions move it on, or return false and leave it anywhere.
struct dns_reader {
    const uint8_t *message;
    size_t end;    // bytes of it that may be read
    size_t offset; // of the next one
};

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
bool dns_read_name(struct dns_reader *reader, struct dns_name *out);
bool dns_read_question(struct dns_reader *reader, struct dns_question *out);

// False also when the rdata is not what its type says, so that whatever it lets pass can be
// written as text and into another message. Types that it doesn't know may hold anything.
bool dns_read_record(struct dns_reader *reader, struct dns_record *out);

// Pass over one without a look at where its name's pointers lead or at its rdata: many such cost no
// more than their length.
bool dns_skip_question(struct dns_reader *reader);
bool dns_skip_record(struct dns_reader *reader, uint16_t *type);

// Whether rdata by itself is what its type says (class IN), with no name in it compressed.
bool dns_rdata_is_plain(uint16_t type, const uint8_t *rdata, size_t length);

// The rdata as `dig +short` prints it, unknown types as RFC 3597 section 5 says. record was read
// from message. False when it does not fit into size; what did fit is there, with a NUL.
bool dns_rdata_text(const uint8_t *message, const struct dns_record *record, char *out,
                    size_t size);

// A SvcParam's key (RFC 9460 section 14.3): "alpn", "key1234".
bool dns_svc_key_parse(const char *text, uint16_t *out);

// What the key's value is: k keys, l protocol names, - nothing, 2 a number of 16 bits, a IPv4, A
// IPv6 addresses, b what is written in base64, u unknown.
char dns_svc_form(uint16_t key);

// The octets of all strings of a TXT record, joined (RFC 7208 section 3.3), with no quotes and no
// escapes. Returns how many; 0 for other types. out holds at least record->rdata_length.
size_t dns_txt_bytes(const uint8_t *message, const struct dns_record *record, uint8_t *out);

// ---- EDNS

struct dns_edns {
    uint16_t udp_size;
    uint8_t rcode_high; // the upper 8 bits of the extended rcode
    uint8_t version;
    bool dnssec_ok;
};

struct dns_option {
    uint16_t code;
    uint16_t length;
    const uint8_t *bytes; // within the message
};

// False if record (read from message) is no OPT record, or its owner is not the root. options then
// reads its options.
bool dns_read_edns(const uint8_t *message, const struct dns_record *record, struct dns_edns *out,
                   struct dns_reader *options);

// False at the end.
bool dns_read_option(struct dns_reader *options, struct dns_option *out);

// ---- Writing

#define DNS_SUFFIXES_MAX 128 // names' beginnings remembered for compression

struct dns_writer {
    uint8_t *buffer;
    size_t size;
    size_t length; // written so far
    bool overflow;
    uint16_t counts[DNS_SECTIONS];
    uint16_t suffixes[DNS_SUFFIXES_MAX]; // offsets of the names' labels
    size_t suffix_count;
    bool in_record;
    size_t rdata; // offset of the open record's length
    enum dns_section section;
};

// Begins a message in buffer with its header.
void dns_write_begin(struct dns_writer *writer, uint8_t *buffer, size_t size, uint16_t id,
                     uint16_t flags);

// Completes the header. Returns the message's length, or 0 if it did not fit.
size_t dns_write_end(struct dns_writer *writer);

void dns_write_u8(struct dns_writer *writer, uint8_t value);
void dns_write_u16(struct dns_writer *writer, uint16_t value);
void dns_write_u32(struct dns_writer *writer, uint32_t value);
void dns_write_bytes(struct dns_writer *writer, const void *bytes, size_t length);

// Compresses only where the case of all letters agrees. RFC 3597 section 4 says in which rdata
// compress may be true: that of the types of RFC 1035.
void dns_write_name(struct dns_writer *writer, const struct dns_name *name, bool compress);

void dns_write_question(struct dns_writer *writer, const struct dns_question *question);

// A record is its head, its rdata by the functions above, and dns_record_end().
void dns_record_begin(struct dns_writer *writer, enum dns_section section,
                      const struct dns_name *owner, uint16_t type, uint16_t class, uint32_t ttl);
void dns_record_end(struct dns_writer *writer);

// An OPT record is begun as such, then has options, and ends with dns_record_end().
void dns_opt_begin(struct dns_writer *writer, const struct dns_edns *edns);
void dns_write_option(struct dns_writer *writer, uint16_t code, const void *bytes, size_t length);

// Copies a record that was read from message; names in it are compressed anew.
void dns_copy_record(struct dns_writer *writer, enum dns_section section, const uint8_t *message,
                     const struct dns_record *record);

// A place to come back to, between records: what was written since is forgotten, overflow too.
struct dns_mark {
    size_t length, suffix_count;
    uint16_t counts[DNS_SECTIONS];
};
struct dns_mark dns_mark(const struct dns_writer *writer);
void dns_rewind(struct dns_writer *writer, const struct dns_mark *mark);
