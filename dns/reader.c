// See reader.h.
#include "dns/reader.h"

#include <string.h>

#define POINTER_BITS 0xc0u
#define POINTER_MAX  0x3fffu
#define HOPS_MAX     127 // as many as a name can have labels; any honest encoder stays below

bool dns_read_name(struct dns_reader *reader, struct dns_name *out)
{
    struct dns_reader at = *reader;
    size_t segment = at.offset; // each pointer must lead to before the place it was reached from
    unsigned hops = 0;
    out->length = 0;
    for (;;) {
        const uint8_t *head = dns_take(&at, 1);
        if (head == NULL) {
            return false;
        }
        if ((*head & POINTER_BITS) == POINTER_BITS) {
            const uint8_t *low = dns_take(&at, 1);
            if (low == NULL) {
                return false;
            }
            if (hops++ == 0) {
                reader->offset = at.offset;
            }
            at.offset = get_u16(head) & POINTER_MAX;
            if (at.offset >= segment || at.offset < DNS_HEADER_SIZE || hops > HOPS_MAX) {
                return false;
            }
            segment = at.offset;
            continue;
        }
        size_t length = *head; // 64 to 191, reserved kinds of label, are too long and end here
        if (length > DNS_LABEL_MAX || out->length + 1 + length + (length ? 1 : 0) > DNS_NAME_MAX ||
            (length && dns_take(&at, length) == NULL)) {
            return false;
        }
        memcpy(out->wire + out->length, head, 1 + length);
        out->length += 1 + length;
        if (length == 0) {
            break;
        }
    }
    if (hops == 0) {
        reader->offset = at.offset;
    }
    return true;
}

bool dns_skip_name(struct dns_reader *reader)
{
    for (;;) {
        const uint8_t *head = dns_take(reader, 1);
        if (head == NULL) {
            return false;
        }
        if ((*head & POINTER_BITS) == POINTER_BITS) {
            return dns_take(reader, 1) != NULL;
        }
        if (*head == 0) {
            return true;
        }
        if (*head > DNS_LABEL_MAX || dns_take(reader, *head) == NULL) {
            return false;
        }
    }
}

bool dns_read_option(struct dns_reader *reader, struct dns_option *out)
{
    if (!dns_read_u16(reader, &out->code) || !dns_read_u16(reader, &out->length)) {
        return false;
    }
    out->bytes = dns_take(reader, out->length);
    return out->bytes != NULL;
}
