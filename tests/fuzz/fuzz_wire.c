// Reads anything as a DNS message. What can be read must print, and must say the same once written
// anew; writing that again must not change a byte.
#include "dns/text.h"
#include "dns/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool what)
{
    if (!what) {
        abort();
    }
}

static void require_names_survive_text(const struct dns_name *name)
{
    char text[DNS_NAME_TEXT_MAX];
    struct dns_name back;
    require(dns_name_parse(dns_name_text(name, text), &back) == NULL);
    require(back.length == name->length && memcmp(back.wire, name->wire, name->length) == 0);
}

static void read_options(const uint8_t *message, const struct dns_record *record)
{
    struct dns_edns edns;
    struct dns_reader options;
    struct dns_option option;
    if (dns_read_edns(message, record, &edns, &options)) {
        while (dns_read_option(&options, &option)) {
        }
        require(options.offset == options.end);
    }
}

static void append_text(const uint8_t *message, const struct dns_record *record, FILE *texts)
{
    static char text[5 * DNS_MESSAGE_MAX];
    static uint8_t bytes[DNS_MESSAGE_MAX];
    char owner[DNS_NAME_TEXT_MAX];
    require(dns_rdata_text(message, record, text, sizeof text));
    size_t joined = dns_txt_bytes(message, record, bytes);
    fprintf(texts, "%s %u %u %u %s\n", dns_name_text(&record->owner, owner), record->ttl,
            record->class, record->type, text);
    fwrite(bytes, 1, joined, texts);
}

// Writes a record that was read from message, piece by piece; the writer compresses no names.
static void copy_record(struct dns_writer *writer, enum dns_section section, const uint8_t *message,
                        const struct dns_record *record)
{
    struct dns_walk walk = dns_record_walk(message, record);
    struct dns_field field;
    dns_record_begin(writer, section, &record->owner, record->type, record->class, record->ttl);
    while (dns_walk_next(&walk, &field) == DNS_STEP_FIELD) {
        if (field.kind == 'n') {
            dns_write_name(writer, &field.name);
        } else if (field.kind == 'p' || field.kind == 'o') {
            dns_write_option(writer, field.code, field.bytes, field.length);
        } else {
            dns_write_bytes(writer, field.bytes, field.length);
        }
    }
    dns_record_end(writer);
}

// Reads the message and writes it anew. False if it can't be read; *length is 0 if it did not fit.
static bool copy(const uint8_t *message, size_t size, uint8_t *out, size_t *length, FILE *texts)
{
    struct dns_reader reader = {.message = message, .end = size};
    struct dns_header header;
    struct dns_writer writer;
    if (!dns_read_header(&reader, &header)) {
        return false;
    }
    dns_write_begin(&writer, out, DNS_MESSAGE_MAX, header.id, header.flags);
    for (unsigned i = 0; i < header.counts[DNS_QUESTION]; i++) {
        struct dns_question question;
        if (!dns_read_question(&reader, &question)) {
            return false;
        }
        require_names_survive_text(&question.name);
        dns_write_question(&writer, &question);
    }
    for (enum dns_section section = DNS_ANSWER; section < DNS_SECTIONS; section++) {
        for (unsigned i = 0; i < header.counts[section]; i++) {
            struct dns_record record;
            if (!dns_read_record(&reader, &record)) {
                return false;
            }
            require_names_survive_text(&record.owner);
            read_options(message, &record);
            append_text(message, &record, texts);
            copy_record(&writer, section, message, &record);
        }
    }
    *length = dns_write_end(&writer);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t once[DNS_MESSAGE_MAX];
    static uint8_t twice[DNS_MESSAGE_MAX];
    char *texts[2];
    size_t text_lengths[2];
    size_t length;
    size_t length_again;
    if (size > DNS_MESSAGE_MAX) {
        return 0;
    }
    FILE *first = open_memstream(&texts[0], &text_lengths[0]);
    FILE *second = open_memstream(&texts[1], &text_lengths[1]);
    require(first != NULL && second != NULL);
    bool readable = copy(data, size, once, &length, first) && length > 0;
    if (readable) {
        require(copy(once, length, twice, &length_again, second));
    }
    fclose(first);
    fclose(second);
    if (readable) {
        require(length == length_again && memcmp(once, twice, length) == 0);
        require(text_lengths[0] == text_lengths[1] &&
                memcmp(texts[0], texts[1], text_lengths[0]) == 0);
    }
    free(texts[0]);
    free(texts[1]);
    return 0;
}
