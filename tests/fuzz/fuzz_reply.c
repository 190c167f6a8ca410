// Any bytes, in any split, give the same lines, and every row parser survives every line.

#include "birdctl/reply.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What has been seen, folded into one number.
struct trace {
    uint64_t hash;
    size_t lines;
    struct bird_bgp_reader details;
};

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void fold(struct trace *trace, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++) {
        trace->hash = (trace->hash ^ byte[i]) * 1099511628211U;
    }
}

static void parse_every_way(const struct bird_line *line)
{
    struct bird_protocol protocol;
    struct bird_route route;
    struct bird_version version;
    struct bird_bfd bfd;
    char description[16];
    if (bird_parse_protocol(line, &protocol)) {
        require(protocol.name[0] != '\0' && strlen(protocol.name) < sizeof protocol.name);
        require(!protocol.established || protocol.up);
    }
    if (bird_parse_route(line, &route)) {
        require(route.protocol[0] != '\0' && strchr(route.protocol, ' ') == NULL);
    }
    if (bird_parse_bfd(line, &bfd)) {
        require(bfd.address[0] != '\0' && bfd.interface[0] != '\0');
    }
    if (bird_parse_description(line, description, sizeof description)) {
        require(strlen(description) < sizeof description);
    }
    (void)bird_parse_greeting(line, &version);
    (void)bird_outcome(line->code);
}

// Of a session that is called as the first protocol.
static void read_details(struct trace *trace, const struct bird_line *line)
{
    struct bird_protocol row;
    if (trace->details.name[0] == '\0' && bird_parse_protocol(line, &row)) {
        memcpy(trace->details.name, row.name, sizeof trace->details.name);
    }
    bird_bgp_line(&trace->details, line);
    require(memchr(trace->details.bgp.neighbor, '\0', BIRD_ADDRESS_MAX) != NULL);
}

static void on_line(void *arg, const struct bird_line *line)
{
    struct trace *trace = arg;
    require(line->length <= BIRD_LINE_MAX && line->text[line->length] == '\0');
    require(line->code <= 9999);
    fold(trace, &line->kind, sizeof line->kind);
    fold(trace, &line->code, sizeof line->code);
    fold(trace, &line->cut, sizeof line->cut);
    fold(trace, line->text, line->length);
    trace->lines++;
    parse_every_way(line);
    read_details(trace, line);
}

// The first byte is the length of the pieces; the rest is what BIRD said.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bird_reader whole, split;
    struct trace at_once = {0}, in_pieces = {0};
    if (size == 0) {
        return 0;
    }
    size_t piece = data[0] == 0 ? 1 : data[0];
    const char *bytes = (const char *)data + 1;
    size_t left = size - 1;

    whole = split = (struct bird_reader){0};
    bird_reader_feed(&whole, bytes, left, on_line, &at_once);
    while (left > 0) {
        size_t length = left < piece ? left : piece;
        bird_reader_feed(&split, bytes, length, on_line, &in_pieces);
        bytes += length;
        left -= length;
    }
    require(at_once.hash == in_pieces.hash && at_once.lines == in_pieces.lines);
    return 0;
}
