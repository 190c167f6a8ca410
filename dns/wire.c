// See wire.h.
#include "dns/wire.h"

#include "base/bytes.h"

#include <assert.h>
#include <string.h>

#define EDNS_DO 0x8000u

// ---- Reading

bool dns_read_header(struct dns_reader *reader, struct dns_header *out)
{
    const uint8_t *bytes = dns_take(reader, DNS_HEADER_SIZE);
    if (bytes == NULL) {
        return false;
    }
    out->id = get_u16(bytes);
    out->flags = get_u16(bytes + 2);
    for (size_t i = 0; i < DNS_SECTIONS; i++) {
        out->counts[i] = get_u16(bytes + 4 + 2 * i);
    }
    return true;
}

bool dns_read_question(struct dns_reader *reader, struct dns_question *out)
{
    return dns_read_name(reader, &out->name) && dns_read_u16(reader, &out->type) &&
           dns_read_u16(reader, &out->class);
}

bool dns_skip_question(struct dns_reader *reader)
{
    return dns_skip_name(reader) && dns_take(reader, 4) != NULL;
}

bool dns_skip_record(struct dns_reader *reader, uint16_t *type)
{
    uint16_t rdata_length;
    return dns_skip_name(reader) && dns_read_u16(reader, type) && dns_take(reader, 6) != NULL &&
           dns_read_u16(reader, &rdata_length) && dns_take(reader, rdata_length) != NULL;
}

struct dns_walk dns_record_walk(const uint8_t *message, const struct dns_record *record)
{
    return dns_walk_begin(record->type, record->class, message, record->rdata,
                          record->rdata_length);
}

static bool rdata_is_sound(const uint8_t *message, const struct dns_record *record)
{
    struct dns_walk walk = dns_record_walk(message, record);
    struct dns_field field;
    enum dns_step step;
    do {
        step = dns_walk_next(&walk, &field);
    } while (step == DNS_STEP_FIELD);
    return step == DNS_STEP_END;
}

bool dns_read_record(struct dns_reader *reader, struct dns_record *out)
{
    const uint8_t *fixed;
    if (!dns_read_name(reader, &out->owner) || (fixed = dns_take(reader, 10)) == NULL) {
        return false;
    }
    out->type = get_u16(fixed);
    out->class = get_u16(fixed + 2);
    out->ttl = get_u32(fixed + 4);
    out->rdata_length = get_u16(fixed + 8);
    out->rdata = reader->offset;
    return dns_take(reader, out->rdata_length) != NULL && rdata_is_sound(reader->message, out);
}

// ---- EDNS (RFC 6891 section 6.1)

bool dns_read_edns(const uint8_t *message, const struct dns_record *record, struct dns_edns *out,
                   struct dns_reader *options)
{
    if (record->type != DNS_OPT || record->owner.length != 1) {
        return false;
    }
    *out = (struct dns_edns){.udp_size = record->class,
                             .rcode_high = (uint8_t)(record->ttl >> 24),
                             .version = (uint8_t)(record->ttl >> 16),
                             .dnssec_ok = (record->ttl & EDNS_DO) != 0};
    *options = dns_record_walk(message, record).rdata;
    return true;
}

// ---- Writing

void dns_write_begin(struct dns_writer *writer, uint8_t *buffer, size_t size, uint16_t id,
                     uint16_t flags)
{
    assert(size <= DNS_MESSAGE_MAX);
    *writer = (struct dns_writer){.buffer = buffer, .size = size};
    dns_write_u16(writer, id);
    dns_write_u16(writer, flags);
    for (size_t i = 0; i < DNS_SECTIONS; i++) {
        dns_write_u16(writer, 0);
    }
}

size_t dns_write_end(struct dns_writer *writer)
{
    assert(!writer->in_record);
    if (writer->overflow) {
        return 0;
    }
    for (size_t i = 0; i < DNS_SECTIONS; i++) {
        put_u16(writer->buffer + 4 + 2 * i, writer->counts[i]);
    }
    return writer->length;
}

void dns_write_bytes(struct dns_writer *writer, const void *bytes, size_t length)
{
    if (writer->overflow || length > writer->size - writer->length) {
        writer->overflow = true;
        return;
    }
    if (length > 0) {
        memcpy(writer->buffer + writer->length, bytes, length);
    }
    writer->length += length;
}

void dns_write_u16(struct dns_writer *writer, uint16_t value)
{
    uint8_t bytes[2];
    put_u16(bytes, value);
    dns_write_bytes(writer, bytes, sizeof bytes);
}

static void write_u32(struct dns_writer *writer, uint32_t value)
{
    dns_write_u16(writer, (uint16_t)(value >> 16));
    dns_write_u16(writer, (uint16_t)value);
}

void dns_write_name(struct dns_writer *writer, const struct dns_name *name)
{
    dns_write_bytes(writer, name->wire, name->length);
}

static void count(struct dns_writer *writer, enum dns_section section)
{
    assert(section >= writer->section);
    writer->section = section;
    writer->counts[section]++;
}

void dns_write_question(struct dns_writer *writer, const struct dns_question *question)
{
    dns_write_name(writer, &question->name);
    dns_write_u16(writer, question->type);
    dns_write_u16(writer, question->class);
    count(writer, DNS_QUESTION);
}

void dns_record_begin(struct dns_writer *writer, enum dns_section section,
                      const struct dns_name *owner, uint16_t type, uint16_t class, uint32_t ttl)
{
    assert(!writer->in_record);
    dns_write_name(writer, owner);
    dns_write_u16(writer, type);
    dns_write_u16(writer, class);
    write_u32(writer, ttl);
    writer->in_record = true;
    writer->rdata = writer->length;
    dns_write_u16(writer, 0);
    count(writer, section);
}

void dns_record_end(struct dns_writer *writer)
{
    assert(writer->in_record);
    if (!writer->overflow) {
        put_u16(writer->buffer + writer->rdata, (uint16_t)(writer->length - writer->rdata - 2));
    }
    writer->in_record = false;
}

void dns_opt_begin(struct dns_writer *writer, const struct dns_edns *edns)
{
    static const struct dns_name root = {.length = 1};
    uint32_t ttl = (uint32_t)edns->rcode_high << 24 | (uint32_t)edns->version << 16 |
                   (edns->dnssec_ok ? EDNS_DO : 0);
    dns_record_begin(writer, DNS_ADDITIONAL, &root, DNS_OPT, edns->udp_size, ttl);
}

void dns_write_option(struct dns_writer *writer, uint16_t code, const void *bytes, size_t length)
{
    assert(length <= UINT16_MAX);
    dns_write_u16(writer, code);
    dns_write_u16(writer, (uint16_t)length);
    dns_write_bytes(writer, bytes, length);
}
